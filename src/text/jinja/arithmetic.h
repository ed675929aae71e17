// Python's operators on numbers, strings and lists, with 64-bit integers.
#pragma once

#include <cstdint>
#include <string_view>

#include "text/jinja/value.h"

namespace ocellus::text::jinja {

// a op b for + - * / // % **. Failure for operands that do not fit, division by zero, and integers
// beyond 64 bits (Python's have no end).
Value arithmetic(std::string_view op, const Value& a, const Value& b, Budget& budget);
Value negated(const Value& value);
Value absolute(const Value& value);

// Towards zero. Failure for what does not fit in 64 bits, NaN included.
std::int64_t to_integer(double value);

}  // namespace ocellus::text::jinja
