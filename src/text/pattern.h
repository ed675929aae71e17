// A literal or a regular expression, as tokenizer.json writes {"String": ...} or {"Regex": ...}.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "json/json.h"
#include "ocellus/error.h"
#include "text/regex.h"

namespace ocellus::text {

// Immutable; any thread.
struct Pattern {
  std::string literal;
  std::optional<Regex> regex;  // instead of the literal

  // kBadModel, or Regex::compile's kUnsupported; both name `what`.
  static Result<Pattern> parse(const json::bj::value* value, std::string_view what);
  // Calls found(begin, end) for each match in valid UTF-8, left to right; none for an empty
  // literal.
  void each_match(std::string_view text,
                  const std::function<void(std::size_t, std::size_t)>& found) const;
  std::string replace(std::string_view text, std::string_view with) const;
};

}  // namespace ocellus::text
