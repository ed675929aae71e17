#include "text/jinja/arithmetic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ocellus::text::jinja {
namespace {

[[noreturn]] void too_large() { throw Failure("integer overflow: expected at most 64 bits"); }
[[noreturn]] void by_zero() { throw Failure("division by zero"); }

// Python rounds towards minus infinity.
Value divided(std::string_view op, std::int64_t a, std::int64_t b) {
  if (b == 0) by_zero();
  if (b == -1) return op == "//" ? negated(a) : Value(std::int64_t{0});  // INT64_MIN / -1 traps
  const std::int64_t quotient = a / b, rest = a % b;
  const bool down = rest != 0 && (rest < 0) != (b < 0);
  return op == "//" ? quotient - (down ? 1 : 0) : rest + (down ? b : 0);
}

Value divided(std::string_view op, double a, double b) {
  if (b == 0) by_zero();
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  return op == "//" ? std::round((a - rest) / b) : rest;
}

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (true) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) too_large();
    exponent >>= 1;
    if (exponent == 0) return result;
    if (__builtin_mul_overflow(base, base, &base)) too_large();
  }
}

Value power(const Value& a, const Value& b) {
  if (a.is_integer() && b.is_integer() && b.integer() >= 0) return power(a.integer(), b.integer());
  const double base = a.number(), exponent = b.number();
  if (base == 0 && exponent < 0) by_zero();
  const double result = std::pow(base, exponent);
  if (std::isnan(result) && !std::isnan(base) && !std::isnan(exponent))
    throw Failure("\"**\": a negative number to a power that is no integer");
  return result;
}

Value repeated(const Text& text, std::int64_t times, Budget& budget) {
  if (times <= 0 || text.bytes.empty()) return Text();
  std::size_t size = 0;
  if (__builtin_mul_overflow(text.bytes.size(), static_cast<std::size_t>(times), &size))
    size = SIZE_MAX;
  budget.bytes(size);
  Text result;
  result.bytes.reserve(size);
  result.trusted.reserve(size);
  for (; times > 0; --times) {
    result.bytes += text.bytes;
    result.trusted += text.trusted;
  }
  return result;
}

Value repeated(const List& list, std::int64_t times, Budget& budget) {
  ListBuilder result(budget);
  for (; times > 0 && !list.empty(); --times) {
    for (const Value& value : list) result.add(value);
  }
  return std::move(result).build();
}

// What + and * do beside numbers; undefined where that is nothing.
Value of_sequences(std::string_view op, const Value& a, const Value& b, Budget& budget) {
  const auto *s = a.get_if<Text>(), *t = b.get_if<Text>();
  const auto *l = a.get_if<List>(), *m = b.get_if<List>();
  if (op == "+" && s && t) {
    TextBuilder joined(budget);
    joined.add(*s);
    joined.add(*t);
    return std::move(joined).build();
  }
  if (op == "+" && l && m) {
    ListBuilder joined(budget);
    for (const List* list : {l, m}) {
      for (const Value& value : *list) joined.add(value);
    }
    return std::move(joined).build();
  }
  if (op == "*" && s && b.is_integer()) return repeated(*s, b.integer(), budget);
  if (op == "*" && t && a.is_integer()) return repeated(*t, a.integer(), budget);
  if (op == "*" && l && b.is_integer()) return repeated(*l, b.integer(), budget);
  if (op == "*" && m && a.is_integer()) return repeated(*m, a.integer(), budget);
  return {};
}

}  // namespace

Value arithmetic(std::string_view op, const Value& a, const Value& b, Budget& budget) {
  if (!a.is_number() || !b.is_number()) {
    Value result = of_sequences(op, a, b, budget);
    if (!result.is<Undefined>()) return result;
    const auto* missing = a.get_if<Undefined>() ? a.get_if<Undefined>() : b.get_if<Undefined>();
    if (missing && missing->name)
      throw Failure(fmt::format("\"{}\" is undefined", missing->name->bytes));
    throw Failure(fmt::format("\"{}\": expected two numbers, found {} and {}", op, a.type_name(),
                              b.type_name()));
  }
  if (op == "**") return power(a, b);
  if (a.is_integer() && b.is_integer() && op != "/") {
    const std::int64_t i = a.integer(), j = b.integer();
    if (op == "//" || op == "%") return divided(op, i, j);
    std::int64_t result = 0;
    const bool overflow = op == "+"   ? __builtin_add_overflow(i, j, &result)
                          : op == "-" ? __builtin_sub_overflow(i, j, &result)
                                      : __builtin_mul_overflow(i, j, &result);
    if (overflow) too_large();
    return result;
  }
  const double x = a.number(), y = b.number();
  if (op == "+") return x + y;
  if (op == "-") return x - y;
  if (op == "*") return x * y;
  if (op != "/") return divided(op, x, y);
  if (y == 0) by_zero();
  return x / y;
}

Value negated(const Value& value) {
  if (!value.is_integer()) return -value.number();
  std::int64_t result = 0;
  if (__builtin_sub_overflow(std::int64_t{0}, value.integer(), &result)) too_large();
  return result;
}

Value absolute(const Value& value) {
  if (!value.is_integer()) return std::fabs(value.number());
  return value.integer() < 0 ? negated(value) : Value(value.integer());
}

std::int64_t to_integer(double value) {
  if (!(value >= -0x1p63 && value < 0x1p63)) too_large();  // NaN too
  return static_cast<std::int64_t>(value);
}

}  // namespace ocellus::text::jinja
