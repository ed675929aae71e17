#include "text/jinja/expression_parser.h"

#include <charconv>
#include <optional>

#include "text/jinja/text_form.h"

namespace ocellus::text::jinja {

using Kind = Expression::Kind;

ExpressionPtr ExpressionParser::make(Expression::Kind kind) const {
  return std::make_unique<Expression>(Expression{.kind = kind, .line = token().line});
}
ExpressionPtr ExpressionParser::binary(std::string op, ExpressionPtr left,
                                       ExpressionPtr right) const {
  ExpressionPtr e = make(Kind::kBinary);
  e->name = std::move(op);
  e->operands.push_back(std::move(left));
  e->operands.push_back(std::move(right));
  return e;
}
ExpressionPtr ExpressionParser::unary(std::string op, ExpressionPtr operand) const {
  ExpressionPtr e = make(Kind::kUnary);
  e->name = std::move(op);
  e->operands.push_back(std::move(operand));
  return e;
}

// Several with commas are a list.
ExpressionPtr ExpressionParser::expression_list() {
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

ExpressionPtr ExpressionParser::expression() {
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

ExpressionPtr ExpressionParser::either() {
  ExpressionPtr left = both();
  while (accept_word("or")) left = binary("or", std::move(left), both());
  return left;
}
ExpressionPtr ExpressionParser::both() {
  ExpressionPtr left = negation();
  while (accept_word("and")) left = binary("and", std::move(left), negation());
  return left;
}
ExpressionPtr ExpressionParser::negation() {
  const Deeper deeper(*this);
  if (accept_word("not")) return unary("not", negation());
  return comparison();
}

// a < b < c means (a < b) and (b < c); chains are rare, and the middle is read again for them.
ExpressionPtr ExpressionParser::comparison() {
  ExpressionPtr left = sum();
  ExpressionPtr all;
  while (true) {
    std::string op;
    if (at_word("in")) {
      op = "in";
    } else if (at_word("not") && at(Token::Kind::kName, "in", 1)) {
      op = "not in";
      next();
    } else {
      for (const char* known : {"==", "!=", "<=", ">=", "<", ">"}) {
        if (at_operator(known)) op = known;
      }
    }
    if (op.empty()) return all ? std::move(all) : std::move(left);
    next();
    if (all) fail("chained comparisons are not supported");
    ExpressionPtr right = sum();
    all = op == "not in" ? unary("not", binary("in", std::move(left), std::move(right)))
                         : binary(op, std::move(left), std::move(right));
  }
}

template <typename Operand>
ExpressionPtr ExpressionParser::chain(std::initializer_list<std::string_view> operators,
                                      const Operand& operand) {
  ExpressionPtr left = operand();
  while (token().kind == Token::Kind::kOperator) {
    const auto op = std::ranges::find(operators, token().text);
    if (op == operators.end()) break;
    next();
    left = binary(std::string(*op), std::move(left), operand());
  }
  return left;
}
ExpressionPtr ExpressionParser::sum() {
  return chain({"+", "-"}, [this] { return joined(); });
}
ExpressionPtr ExpressionParser::joined() {
  return chain({"~"}, [this] { return product(); });
}
ExpressionPtr ExpressionParser::product() {
  return chain({"*", "/", "//", "%"}, [this] { return power(); });
}
ExpressionPtr ExpressionParser::power() {
  return chain({"**"}, [this] { return signed_value(true); });
}
ExpressionPtr ExpressionParser::signed_value(bool with_filters) {
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

ExpressionPtr ExpressionParser::primary() {
  const Token t = token();
  ExpressionPtr e = make(Kind::kLiteral);
  switch (t.kind) {
    case Token::Kind::kName:
      next();
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
      for (; token().kind == Token::Kind::kString; next()) text += token().text;
      e->value = Text(text, true);
      return e;
    }
    case Token::Kind::kInteger:
      next();
      e->value = integer(t.text);
      return e;
    case Token::Kind::kFloat:
      next();
      e->value = parse_float(t.text).value_or(0);
      return e;
    default:
      break;
  }
  if (accept_operator("(")) return bracketed();
  if (accept_operator("[")) {
    e->kind = Kind::kList;
    items("]", [&] { e->operands.push_back(expression()); });
    return e;
  }
  if (accept_operator("{")) {
    e->kind = Kind::kMap;
    items("}", [&] {
      e->operands.push_back(expression());
      expect_operator(":");
      e->operands.push_back(expression());
    });
    return e;
  }
  fail(fmt::format("expected a value, found {}", found()));
}

std::int64_t ExpressionParser::integer(std::string_view digits) const {
  std::int64_t value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc())
    fail("integer beyond 64 bits: expected at most 9223372036854775807");
  return value;
}

// (a) is a; (a,), (a, b) and () are lists, as tuples are here.
ExpressionPtr ExpressionParser::bracketed() {
  if (!at_operator(")")) {
    ExpressionPtr first = expression();
    if (accept_operator(")")) return first;
    ExpressionPtr list = make(Kind::kList);
    list->operands.push_back(std::move(first));
    expect_operator(",");
    items(")", [&] { list->operands.push_back(expression()); });
    return list;
  }
  next();
  return make(Kind::kList);
}

template <typename Item>
void ExpressionParser::items(std::string_view close, const Item& item) {
  while (!at_operator(close)) {
    item();
    if (!accept_operator(",")) break;
  }
  expect_operator(close);
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr value) {
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

ExpressionPtr ExpressionParser::call(ExpressionPtr callee) {
  ExpressionPtr e = make(Kind::kCall);
  e->operands.push_back(std::move(callee));
  e->arguments = arguments();
  return e;
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr value) {
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

CallArguments ExpressionParser::arguments() {
  CallArguments result;
  expect_operator("(");
  while (!at_operator(")")) {
    if (at_operator("*") || at_operator("**")) fail("unpacked arguments are not supported");
    if (token().kind == Token::Kind::kName && at(Token::Kind::kOperator, "=", 1)) {
      std::string key = name();
      next();
      result.named.emplace_back(std::move(key), expression());
    } else {
      result.positional.push_back(expression());
    }
    if (!accept_operator(",")) break;
  }
  expect_operator(")");
  return result;
}

ExpressionPtr ExpressionParser::filter(ExpressionPtr value) {
  ExpressionPtr e = make(Kind::kFilter);
  e->name = name();
  e->operands.push_back(std::move(value));
  if (at_operator("(")) e->arguments = arguments();
  return e;
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr value) {
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

ExpressionPtr ExpressionParser::test(ExpressionPtr value) {
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
bool ExpressionParser::begins_test_argument() const {
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

}  // namespace ocellus::text::jinja
