#include "text/constraint/decimal.h"

#include <charconv>
#include <cmath>

namespace ocellus::text {

std::optional<Decimal> to_decimal(const boost::json::value& value) {
  constexpr std::size_t kMaxDigits = 40;
  std::string text;
  if (value.is_int64()) {
    text = std::to_string(value.get_int64());
  } else if (value.is_uint64()) {
    text = std::to_string(value.get_uint64());
  } else if (value.is_double() && std::isfinite(value.get_double())) {
    char buffer[1200];
    const auto end =
        std::to_chars(buffer, buffer + sizeof buffer, value.get_double(), std::chars_format::fixed);
    if (end.ec != std::errc()) return std::nullopt;
    text.assign(buffer, end.ptr);
  } else {
    return std::nullopt;
  }
  Decimal out;
  out.negative = text.starts_with('-');
  if (out.negative) text.erase(0, 1);
  const std::size_t point = text.find('.');
  out.whole = text.substr(0, point);
  if (point != std::string::npos) out.fraction = text.substr(point + 1);
  while (out.fraction.ends_with('0')) out.fraction.pop_back();
  if (out.is_zero()) out.negative = false;
  if (out.whole.size() > kMaxDigits || out.fraction.size() > kMaxDigits) return std::nullopt;
  return out;
}

int compare_whole(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  const int order = a.compare(b);
  return order < 0 ? -1 : order > 0;
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  int order = compare_whole(a.whole, b.whole);
  if (order == 0) {
    const int fractions = a.fraction.compare(b.fraction);  // trailing zeros are gone
    order = fractions < 0 ? -1 : fractions > 0;
  }
  return a.negative ? -order : order;
}

std::string plus_one(std::string digits) {
  for (std::size_t i = digits.size(); i-- > 0;) {
    if (digits[i] != '9') {
      ++digits[i];
      return digits;
    }
    digits[i] = '0';
  }
  return "1" + digits;
}

std::string minus_one(std::string digits) {
  for (std::size_t i = digits.size(); i-- > 0;) {
    if (digits[i] != '0') {
      --digits[i];
      break;
    }
    digits[i] = '9';
  }
  if (digits.size() > 1 && digits.front() == '0') digits.erase(0, 1);
  return digits;
}

}  // namespace ocellus::text
