// PCRE2 with the settings that tokenizer files expect, and limits that no text can exceed.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::text {

// A compiled pattern over UTF-8 with Unicode properties. Immutable; any thread.
class Regex {
 public:
  // kUnsupported with the pattern and the reason.
  static Result<Regex> compile(std::string_view pattern);

  // Calls found(begin, end) for each match of valid UTF-8 `text`, left to right, empty ones left
  // out. False when a limit was reached: the rest of the text then counts as unmatched.
  bool each_match(std::string_view text,
                  const std::function<void(std::size_t, std::size_t)>& found) const;

 private:
  struct Compiled;
  explicit Regex(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace ocellus::text
