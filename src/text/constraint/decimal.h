// Decimal numbers as text: limits of numbers must not be rounded on their way into a grammar.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace ocellus::text {

struct Decimal {
  bool negative = false;
  std::string whole = "0";  // digits, without leading zeros
  std::string fraction;     // digits, without trailing zeros

  bool is_zero() const { return whole == "0" && fraction.empty(); }
};

// The exact decimal that the number's shortest text is. Nothing for what is no number, or has more
// than 40 digits before or behind the point.
std::optional<Decimal> to_decimal(const boost::json::value& value);

// -1, 0 or 1: how two texts of digits without leading zeros compare as numbers.
int compare_whole(std::string_view a, std::string_view b);
int compare(const Decimal& a, const Decimal& b);
std::string plus_one(std::string digits);
std::string minus_one(std::string digits);  // of 1 or more

}  // namespace ocellus::text
