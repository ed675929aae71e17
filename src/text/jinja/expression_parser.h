// Reads a template's expressions: tokens to trees.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/lexer.h"
#include "text/jinja/limits.h"
#include "text/jinja/syntax.h"

namespace ocellus::text::jinja {

// The tokens, with a place in them. Every error is a Failure that names the place's line.
class TokenReader {
 public:
  explicit TokenReader(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

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
    if (!accept_operator(text)) fail(fmt::format("expected {}, found {}", text, found()));
  }
  void expect_word(std::string_view text) {
    if (!accept_word(text)) fail(fmt::format("expected {}, found {}", text, found()));
  }
  void expect_end_of_block() {
    if (token().kind != Token::Kind::kBlockEnd)
      fail(fmt::format("expected the end of the tag, found {}", found()));
    ++at_;
  }
  std::string name() {
    if (token().kind != Token::Kind::kName) fail(fmt::format("expected a name, found {}", found()));
    return tokens_[at_++].text;
  }
  // The token as messages quote it.
  std::string found() const {
    switch (token().kind) {
      case Token::Kind::kBlockEnd:
        return "%}";
      case Token::Kind::kOutputEnd:
        return "}}";
      case Token::Kind::kEnd:
        return "the end of the template";
      default:
        return fmt::format("\"{}\"", token().text);
    }
  }
  void next() { ++at_; }
  void back() { --at_; }

  // One level of nesting for as long as it lives.
  struct Deeper {
    explicit Deeper(TokenReader& p) : parser(p) {
      if (++parser.depth_ > kMaxNesting)
        parser.fail(fmt::format("nested too deeply: expected at most {} levels", kMaxNesting));
    }
    ~Deeper() { --parser.depth_; }
    TokenReader& parser;
  };

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

// By precedence, loosest first; see the .cc.
class ExpressionParser : public TokenReader {
 public:
  using TokenReader::TokenReader;

  ExpressionPtr expression();       // a if b else c
  ExpressionPtr expression_list();  // several with commas are a list
  ExpressionPtr either();           // a or b: without `if`, as in a loop's head
  // `value | name(arguments)`, read from the name on.
  ExpressionPtr filter(ExpressionPtr value);
  ExpressionPtr make(Expression::Kind kind) const;

 private:
  ExpressionPtr binary(std::string op, ExpressionPtr left, ExpressionPtr right) const;
  ExpressionPtr unary(std::string op, ExpressionPtr operand) const;
  ExpressionPtr both();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  template <typename Operand>
  ExpressionPtr chain(std::initializer_list<std::string_view> operators, const Operand& operand);
  ExpressionPtr sum();
  ExpressionPtr joined();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr signed_value(bool with_filters);
  ExpressionPtr primary();
  std::int64_t integer(std::string_view digits) const;
  ExpressionPtr bracketed();
  template <typename Item>
  void items(std::string_view close, const Item& item);
  ExpressionPtr postfix(ExpressionPtr value);
  ExpressionPtr call(ExpressionPtr callee);
  ExpressionPtr subscript(ExpressionPtr value);
  CallArguments arguments();
  ExpressionPtr filters(ExpressionPtr value);
  ExpressionPtr test(ExpressionPtr value);
  bool begins_test_argument() const;
};

}  // namespace ocellus::text::jinja
