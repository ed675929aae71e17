#include <algorithm>
#include <initializer_list>
#include <iterator>

#include "text/jinja/expression_parser.h"

namespace ocellus::text::jinja {
namespace {

class Parser : private ExpressionParser {
 public:
  explicit Parser(std::string_view source) : ExpressionParser(tokenize(source)) {}

  Block run() {
    Block block = statements({});
    if (token().kind != Token::Kind::kEnd) fail(fmt::format("unexpected {{% {} %}}", token().text));
    return block;
  }

 private:
  // Up to one of the words that end it; that word is the next token then.
  Block statements(std::initializer_list<std::string_view> ends) {
    const Deeper deeper(*this);
    Block block;
    while (true) {
      switch (token().kind) {
        case Token::Kind::kEnd:
          if (ends.size() > 0) fail(fmt::format("expected {{% {} %}}", *(ends.end() - 1)));
          return block;
        case Token::Kind::kText:
          block.push_back(
              {.kind = Statement::Kind::kText, .line = token().line, .text = token().text});
          next();
          break;
        case Token::Kind::kOutput: {
          Statement output{.kind = Statement::Kind::kOutput, .line = token().line};
          next();
          output.expression = expression_list();
          if (token().kind != Token::Kind::kOutputEnd)
            fail(fmt::format("expected }}}}, found {}", found()));
          next();
          block.push_back(std::move(output));
          break;
        }
        default:
          next();  // {%
          if (std::ranges::find(ends, token().text) != ends.end()) return block;
          if (token().kind != Token::Kind::kName) fail("expected a statement");
          statement(block);
      }
    }
  }

  void statement(Block& block) {
    const int line = token().line;
    const std::string word = name();
    Statement s{.kind = Statement::Kind::kScope, .line = line};
    if (word == "if") {
      block.push_back(if_statement(line));
      return;
    }
    if (word == "for") {
      for_statement(s);
    } else if (word == "set") {
      set_statement(s);
    } else if (word == "macro") {
      macro(s);
    } else if (word == "generation") {  // transformers' mark of what the assistant said
      body(s, "endgeneration");
    } else if (word == "filter") {
      s.kind = Statement::Kind::kFilter;
      s.expression = block_filters(true);
      body(s, "endfilter");
    } else if (word == "with") {
      with_statement(s);
    } else if (word == "break" || word == "continue") {
      s.kind = word == "break" ? Statement::Kind::kBreak : Statement::Kind::kContinue;
      expect_end_of_block();
    } else {
      back();
      fail(fmt::format("statement \"{}\" is not supported", word));
    }
    block.push_back(std::move(s));
  }

  void body(Statement& s, std::string_view end) {
    expect_end_of_block();
    s.body = statements({end});
    expect_word(end);
    expect_end_of_block();
  }

  Statement if_statement(int line) {
    Statement s{.kind = Statement::Kind::kIf, .line = line};
    s.expression = expression();
    expect_end_of_block();
    s.body = statements({"elif", "else", "endif"});
    const int here = token().line;
    if (accept_word("elif")) {
      const Deeper deeper(*this);
      s.otherwise.push_back(if_statement(here));
      return s;
    }
    if (accept_word("else")) {
      expect_end_of_block();
      s.otherwise = statements({"endif"});
    }
    expect_word("endif");
    expect_end_of_block();
    return s;
  }

  std::vector<std::string> targets() {
    const bool bracket = accept_operator("(");
    std::vector<std::string> names = {name()};
    while (accept_operator(",")) names.push_back(name());
    if (bracket) expect_operator(")");
    return names;
  }

  void for_statement(Statement& s) {
    s.kind = Statement::Kind::kFor;
    s.names = targets();
    expect_word("in");
    s.expression = either();
    if (accept_word("if")) s.condition = expression();
    if (at_word("recursive")) fail("recursive loops are not supported");
    expect_end_of_block();
    s.body = statements({"else", "endfor"});
    if (accept_word("else")) {
      expect_end_of_block();
      s.otherwise = statements({"endfor"});
    }
    expect_word("endfor");
    expect_end_of_block();
  }

  void set_statement(Statement& s) {
    s.kind = Statement::Kind::kSet;
    s.names = targets();
    if (s.names.size() == 1 && accept_operator(".")) s.names[0] += "." + name();
    if (accept_operator("=")) {
      s.expression = expression_list();
      expect_end_of_block();
      return;
    }
    s.kind = Statement::Kind::kSetBlock;
    if (at_operator("|")) s.expression = block_filters(false);
    body(s, "endset");
  }

  // Filters of a block: applied to the name under which its body is found.
  ExpressionPtr block_filters(bool first_without_bar) {
    ExpressionPtr read = make(Expression::Kind::kName);
    read->name = kBodyName;
    if (first_without_bar) read = filter(std::move(read));
    while (accept_operator("|")) read = filter(std::move(read));
    return read;
  }

  void macro(Statement& s) {
    s.kind = Statement::Kind::kMacro;
    s.text = name();
    expect_operator("(");
    while (!at_operator(")")) {
      s.names.push_back(name());
      s.defaults.push_back(accept_operator("=") ? expression() : nullptr);
      if (!accept_operator(",")) break;
    }
    expect_operator(")");
    body(s, "endmacro");
  }

  void with_statement(Statement& s) {
    Block sets;
    while (token().kind != Token::Kind::kBlockEnd) {
      Statement set{.kind = Statement::Kind::kSet, .line = token().line};
      set.names = {name()};
      expect_operator("=");
      set.expression = expression();
      sets.push_back(std::move(set));
      if (!accept_operator(",")) break;
    }
    body(s, "endwith");
    s.body.insert(s.body.begin(), std::make_move_iterator(sets.begin()),
                  std::make_move_iterator(sets.end()));
  }
};

}  // namespace

Block parse(std::string_view source) { return Parser(source).run(); }

}  // namespace ocellus::text::jinja
