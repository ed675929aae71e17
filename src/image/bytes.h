// Reading integers from untrusted bytes; the caller has checked the bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace ocellus::image {

using Bytes = std::span<const std::byte>;

inline std::uint32_t u8_at(Bytes b, std::size_t i) { return std::to_integer<std::uint32_t>(b[i]); }
inline std::uint32_t u16be(Bytes b, std::size_t i) { return u8_at(b, i) << 8 | u8_at(b, i + 1); }
inline std::uint32_t u16le(Bytes b, std::size_t i) { return u8_at(b, i) | u8_at(b, i + 1) << 8; }
inline std::uint32_t u32be(Bytes b, std::size_t i) { return u16be(b, i) << 16 | u16be(b, i + 2); }
inline std::uint32_t u32le(Bytes b, std::size_t i) { return u16le(b, i) | u16le(b, i + 2) << 16; }

// Whether `text` is found at `offset`.
inline bool has_text(Bytes b, std::size_t offset, std::string_view text) {
  return offset <= b.size() && text.size() <= b.size() - offset &&
         std::memcmp(b.data() + offset, text.data(), text.size()) == 0;
}

inline std::string_view as_text(Bytes b) {
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}

inline const std::uint8_t* as_u8(Bytes b) {
  return reinterpret_cast<const std::uint8_t*>(b.data());
}

}  // namespace ocellus::image
