#include "base/utf8.h"

#include <algorithm>

namespace ocellus::base {
namespace {

struct Sequence {
  std::size_t expected;  // bytes that a well-formed character would have; 0: cannot start one
  std::size_t matched;   // bytes present and well formed so far
};

Sequence match(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, 1};
  std::size_t expected = 0;
  unsigned char low = 0x80, high = 0xBF;  // range of the second byte
  if (lead >= 0xC2 && lead <= 0xDF) {
    expected = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    expected = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    expected = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {0, 0};
  }
  std::size_t matched = 1;
  while (matched < expected && matched < text.size()) {
    if (byte(matched) < low || byte(matched) > high) break;
    low = 0x80, high = 0xBF;
    ++matched;
  }
  return {expected, matched};
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) noexcept {
  std::size_t position = 0;
  while (position < text.size()) {
    const Sequence s = match(text.substr(position));
    if (s.expected == 0 || s.matched < s.expected) break;
    position += s.expected;
  }
  return position;
}

std::size_t incomplete_utf8_suffix(std::string_view text) noexcept {
  for (std::size_t length = 1; length <= std::min<std::size_t>(3, text.size()); ++length) {
    const std::string_view tail = text.substr(text.size() - length);
    const Sequence s = match(tail);
    if (s.expected > length && s.matched == length) return length;
  }
  return 0;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Sequence s = match(text);
    if (s.expected != 0 && s.matched == s.expected) {
      result += text.substr(0, s.expected);
    } else {
      result += "\xEF\xBF\xBD";
    }
    text.remove_prefix(std::max<std::size_t>(1, s.matched));
  }
  return result;
}

}  // namespace ocellus::base
