#include "server/dialects/keep_alive.h"

#include <charconv>
#include <cmath>
#include <string>

namespace ocellus::server {
namespace {

constexpr double kLongest = 1e9;  // seconds: 31 years are for ever

std::optional<double> unit_of(std::string_view name) {
  if (name == "h") return 3600;
  if (name == "m") return 60;
  if (name == "s" || name.empty()) return 1;
  if (name == "ms") return 1e-3;
  return std::nullopt;
}

// Nothing for what is no duration.
std::optional<double> parse(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    double value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || !std::isfinite(value) || value < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const std::string_view name = text.substr(0, text.find_first_of("0123456789."));
    const auto unit = unit_of(name);
    if (!unit) return std::nullopt;
    total += value * *unit;
    text.remove_prefix(name.size());
  }
  return negative ? -total : total;
}

}  // namespace

std::optional<std::chrono::milliseconds> read_keep_alive(Fields& fields, std::string_view name) {
  const boost::json::value* const value = fields.any(name);
  if (value == nullptr) return std::nullopt;
  std::optional<double> seconds;
  if (value->is_number()) seconds = value->to_number<double>();
  if (value->is_string()) seconds = parse({value->get_string().data(), value->get_string().size()});
  if (!seconds || !std::isfinite(*seconds)) {
    fields.fail(name, "expected seconds, or a duration such as \"5m\"");
    return std::nullopt;
  }
  if (*seconds < 0 || *seconds > kLongest) return std::chrono::milliseconds(-1);
  return std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
}

}  // namespace ocellus::server
