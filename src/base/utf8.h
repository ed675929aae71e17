// UTF-8 checks, used wherever bytes from outside become text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ocellus::base {

// Length of the longest prefix that is valid UTF-8 (Unicode 15, table 3-7: no overlong forms, no
// surrogates).
std::size_t valid_utf8_prefix(std::string_view text) noexcept;

inline bool is_valid_utf8(std::string_view text) noexcept {
  return valid_utf8_prefix(text) == text.size();
}

// How many bytes at the end of `text` may still become a valid character when more bytes come (0 to
// 3).
std::size_t incomplete_utf8_suffix(std::string_view text) noexcept;

// The text with each maximal ill-formed part replaced by U+FFFD, as Unicode recommends
// (chapter 3.9).
std::string replace_invalid_utf8(std::string_view text);

}  // namespace ocellus::base
