#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>

#include "text/jinja/lexer.h"
#include "text/jinja/syntax.h"
#include "text/jinja/text_form.h"

namespace ocellus::text::jinja {
namespace {

using Kind = Expression::Kind;

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(tokenize(source)) {}

  Block run() {
    Block block = statements({});
    if (token().kind != Token::Kind::kEnd) fail(fmt::format("unexpected {{% {} %}}", token().text));
    return block;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw Failure(fmt::format("line {}: {}", token().line, what));
  }
  const Token& token(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  bool at(Token::Kind kind, std::string_view text, std::size_t ahead = 0) const {
    return token(ahead).kind == kind && token(ahead).text == text;
  }
  bool at_operator(std::string_view text) const { return at(Token::Kind::kOperator, text); }
  bool at_word(std::string_view text) const { return at(Token::Kind::kName, text); }
  bool accept(Token::Kind kind, std::string_view text) {
    if (!at(kind, text)) return false;
    ++at_;
    return true;
  }
  bool accept_operator(std::string_view text) { return accept(Token::Kind::kOperator, text); }
  bool accept_word(std::string_view text) { return accept(Token::Kind::kName, text); }
  void expect_operator(std::string_view text) {
    if (!accept_operator(text)) fail(fmt::format("expected {}, found \"{}\"", text, token().text));
  }
  void expect_word(std::string_view text) {
    if (!accept_word(text)) fail(fmt::format("expected {}, found \"{}\"", text, token().text));
  }
  void expect_end_of_block() {
    if (token().kind != Token::Kind::kBlockEnd)
      fail(fmt::format("expected the end of the tag, found \"{}\"", token().text));
    ++at_;
  }
  std::string name() {
    if (token().kind != Token::Kind::kName)
      fail(fmt::format("expected a name, found \"{}\"", token().text));
    return tokens_[at_++].text;
  }

  // ---- statements ----

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
          ++at_;
          break;
        case Token::Kind::kOutput: {
          Statement output{.kind = Statement::Kind::kOutput, .line = token().line};
          ++at_;
          output.expression = expression_list();
          if (token().kind != Token::Kind::kOutputEnd)
            fail(fmt::format("expected }}}}, found \"{}\"", token().text));
          ++at_;
          block.push_back(std::move(output));
          break;
        }
        default:
          ++at_;  // {%
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
      --at_;
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
    ExpressionPtr read = make(Kind::kName);
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

  // ---- expressions, loosest first ----

  struct Deeper {
    explicit Deeper(Parser& p) : parser(p) {
      if (++parser.depth_ > kMaxNesting)
        parser.fail(fmt::format("nested too deeply: expected at most {} levels", kMaxNesting));
    }
    ~Deeper() { --parser.depth_; }
    Parser& parser;
  };

  ExpressionPtr make(Kind kind) const {
    return std::make_unique<Expression>(Expression{.kind = kind, .line = token().line});
  }
  ExpressionPtr binary(std::string op, ExpressionPtr left, ExpressionPtr right) const {
    ExpressionPtr e = make(Kind::kBinary);
    e->name = std::move(op);
    e->operands.push_back(std::move(left));
    e->operands.push_back(std::move(right));
    return e;
  }
  ExpressionPtr unary(std::string op, ExpressionPtr operand) const {
    ExpressionPtr e = make(Kind::kUnary);
    e->name = std::move(op);
    e->operands.push_back(std::move(operand));
    return e;
  }

  // Several with commas are a list.
  ExpressionPtr expression_list() {
    ExpressionPtr first = expression();
    if (!at_operator(",")) return first;
    ExpressionPtr list = make(Kind::kList);
    list->operands.push_back(std::move(first));
    while (accept_operator(",")) {
      if (token().kind == Token::Kind::kBlockEnd || token().kind == Token::Kind::kOutputEnd) break;
      list->operands.push_back(expression());
    }
    return list;
  }

  ExpressionPtr expression() {
    const Deeper deeper(*this);
    ExpressionPtr value = either();
    while (accept_word("if")) {
      ExpressionPtr choice = make(Kind::kChoice);
      choice->operands.push_back(std::move(value));
      choice->operands.push_back(either());
      choice->operands.push_back(accept_word("else") ? expression() : nullptr);
      value = std::move(choice);
    }
    return value;
  }

  ExpressionPtr either() {
    ExpressionPtr left = both();
    while (accept_word("or")) left = binary("or", std::move(left), both());
    return left;
  }
  ExpressionPtr both() {
    ExpressionPtr left = negation();
    while (accept_word("and")) left = binary("and", std::move(left), negation());
    return left;
  }
  ExpressionPtr negation() {
    const Deeper deeper(*this);
    if (accept_word("not")) return unary("not", negation());
    return comparison();
  }

  // a < b < c means (a < b) and (b < c); chains are rare, and the middle is read again for them.
  ExpressionPtr comparison() {
    ExpressionPtr left = sum();
    ExpressionPtr all;
    while (true) {
      std::string op;
      if (at_word("in")) {
        op = "in";
      } else if (at_word("not") && at(Token::Kind::kName, "in", 1)) {
        op = "not in";
        ++at_;
      } else {
        for (const char* known : {"==", "!=", "<=", ">=", "<", ">"}) {
          if (at_operator(known)) op = known;
        }
      }
      if (op.empty()) return all ? std::move(all) : std::move(left);
      ++at_;
      if (all) fail("chained comparisons are not supported");
      ExpressionPtr right = sum();
      all = op == "not in" ? unary("not", binary("in", std::move(left), std::move(right)))
                           : binary(op, std::move(left), std::move(right));
    }
  }

  template <typename Next>
  ExpressionPtr chain(std::initializer_list<std::string_view> operators, const Next& next) {
    ExpressionPtr left = next();
    while (token().kind == Token::Kind::kOperator) {
      const auto op = std::ranges::find(operators, token().text);
      if (op == operators.end()) break;
      ++at_;
      left = binary(std::string(*op), std::move(left), next());
    }
    return left;
  }
  ExpressionPtr sum() {
    return chain({"+", "-"}, [this] { return joined(); });
  }
  ExpressionPtr joined() {
    return chain({"~"}, [this] { return product(); });
  }
  ExpressionPtr product() {
    return chain({"*", "/", "//", "%"}, [this] { return power(); });
  }
  ExpressionPtr power() {
    return chain({"**"}, [this] { return signed_value(true); });
  }
  ExpressionPtr signed_value(bool with_filters) {
    const Deeper deeper(*this);
    ExpressionPtr value;
    if (accept_operator("-")) {
      value = unary("-", signed_value(false));
    } else if (accept_operator("+")) {
      value = unary("+", signed_value(false));
    } else {
      value = primary();
      value = postfix(std::move(value));
    }
    return with_filters ? filters(std::move(value)) : std::move(value);
  }

  ExpressionPtr primary() {
    const Token t = token();
    ExpressionPtr e = make(Kind::kLiteral);
    switch (t.kind) {
      case Token::Kind::kName:
        ++at_;
        if (t.text == "true" || t.text == "True" || t.text == "false" || t.text == "False") {
          e->value = t.text[0] == 't' || t.text[0] == 'T';
        } else if (t.text == "none" || t.text == "None") {
          e->value = None{};
        } else {
          e->kind = Kind::kName;
          e->name = t.text;
        }
        return e;
      case Token::Kind::kString: {
        std::string text;  // neighbours are one text
        for (; token().kind == Token::Kind::kString; ++at_) text += token().text;
        e->value = Text(text, true);
        return e;
      }
      case Token::Kind::kInteger:
        ++at_;
        e->value = integer(t.text);
        return e;
      case Token::Kind::kFloat:
        ++at_;
        e->value = parse_float(t.text).value_or(0);
        return e;
      default:
        break;
    }
    if (accept_operator("(")) return bracketed();
    if (accept_operator("[")) {
      e->kind = Kind::kList;
      items(*e, "]", [&] { e->operands.push_back(expression()); });
      return e;
    }
    if (accept_operator("{")) {
      e->kind = Kind::kMap;
      items(*e, "}", [&] {
        e->operands.push_back(expression());
        expect_operator(":");
        e->operands.push_back(expression());
      });
      return e;
    }
    fail(fmt::format("expected a value, found \"{}\"", t.text));
  }

  std::int64_t integer(std::string_view digits) const {
    std::int64_t value = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc())
      fail("integer beyond 64 bits: expected at most 9223372036854775807");
    return value;
  }

  // (a) is a; (a,), (a, b) and () are lists, as tuples are here.
  ExpressionPtr bracketed() {
    if (!at_operator(")")) {
      ExpressionPtr first = expression();
      if (accept_operator(")")) return first;
      ExpressionPtr list = make(Kind::kList);
      list->operands.push_back(std::move(first));
      expect_operator(",");
      items(*list, ")", [&] { list->operands.push_back(expression()); });
      return list;
    }
    ++at_;
    return make(Kind::kList);
  }

  template <typename Item>
  void items(Expression&, std::string_view close, const Item& item) {
    while (!at_operator(close)) {
      item();
      if (!accept_operator(",")) break;
    }
    expect_operator(close);
  }

  ExpressionPtr postfix(ExpressionPtr value) {
    while (true) {
      if (accept_operator(".")) {
        ExpressionPtr e = make(Kind::kAttribute);
        if (token().kind == Token::Kind::kInteger) {  // a.0 is a[0]
          e->kind = Kind::kItem;
          e->operands.push_back(std::move(value));
          e->operands.push_back(primary());
        } else {
          e->operands.push_back(std::move(value));
          e->name = name();
        }
        value = std::move(e);
      } else if (accept_operator("[")) {
        value = subscript(std::move(value));
      } else if (at_operator("(")) {
        value = call(std::move(value));
      } else {
        return value;
      }
    }
  }

  ExpressionPtr call(ExpressionPtr callee) {
    ExpressionPtr e = make(Kind::kCall);
    e->operands.push_back(std::move(callee));
    e->arguments = arguments();
    return e;
  }

  ExpressionPtr subscript(ExpressionPtr value) {
    ExpressionPtr e = make(Kind::kItem);
    e->operands.push_back(std::move(value));
    e->operands.push_back(at_operator(":") ? nullptr : expression());
    if (at_operator(":")) {
      e->kind = Kind::kSlice;
      while (accept_operator(":")) {
        if (e->operands.size() > 3) fail("expected ]");
        e->operands.push_back(at_operator(":") || at_operator("]") ? nullptr : expression());
      }
      e->operands.resize(4);
    }
    expect_operator("]");
    return e;
  }

  CallArguments arguments() {
    CallArguments result;
    expect_operator("(");
    while (!at_operator(")")) {
      if (at_operator("*") || at_operator("**")) fail("unpacked arguments are not supported");
      if (token().kind == Token::Kind::kName && at(Token::Kind::kOperator, "=", 1)) {
        std::string key = name();
        ++at_;
        result.named.emplace_back(std::move(key), expression());
      } else {
        result.positional.push_back(expression());
      }
      if (!accept_operator(",")) break;
    }
    expect_operator(")");
    return result;
  }

  ExpressionPtr filter(ExpressionPtr value) {
    ExpressionPtr e = make(Kind::kFilter);
    e->name = name();
    e->operands.push_back(std::move(value));
    if (at_operator("(")) e->arguments = arguments();
    return e;
  }

  ExpressionPtr filters(ExpressionPtr value) {
    while (true) {
      if (accept_operator("|")) {
        value = filter(std::move(value));
      } else if (accept_word("is")) {
        value = test(std::move(value));
      } else if (at_operator("(")) {
        value = call(std::move(value));
      } else {
        return value;
      }
    }
  }

  ExpressionPtr test(ExpressionPtr value) {
    const bool negated = accept_word("not");
    ExpressionPtr e = make(Kind::kTest);
    e->name = name();
    e->operands.push_back(std::move(value));
    if (at_operator("(")) {
      e->arguments = arguments();
    } else if (begins_test_argument()) {
      ExpressionPtr argument = primary();
      e->arguments.positional.push_back(postfix(std::move(argument)));
    }
    return negated ? unary("not", std::move(e)) : std::move(e);
  }
  bool begins_test_argument() const {
    switch (token().kind) {
      case Token::Kind::kString:
      case Token::Kind::kInteger:
      case Token::Kind::kFloat:
        return true;
      case Token::Kind::kName:
        return !at_word("else") && !at_word("or") && !at_word("and") && !at_word("is") &&
               !at_word("if") && !at_word("in") && !at_word("not");
      default:
        return at_operator("[") || at_operator("{");
    }
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Block parse(std::string_view source) { return Parser(source).run(); }

}  // namespace ocellus::text::jinja
