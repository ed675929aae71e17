// Values as strings. A string that any user wrote a part of is a user's altogether, but for str()
// of a string, which is that string.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "text/jinja/value.h"

namespace ocellus::text::jinja {

// Python's str(); empty for undefined.
TextPtr to_text(const Value& value, Budget& budget);

// As transformers' `tojson` calls json.dumps.
struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<int> indent;  // spaces for each level; one line without
  std::string_view between = ", ", after_key = ": ";
};
Text to_json(const Value& value, const JsonStyle& style, Budget& budget);

// The number in a string, white space around it allowed, as Python's int() and float() read it;
// none for anything else. Failure for an integer beyond 64 bits.
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<double> parse_float(std::string_view text);

}  // namespace ocellus::text::jinja
