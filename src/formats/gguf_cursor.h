// Steps through the bytes of a GGUF file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace ocellus::formats {

// Walks the bytes; every step is checked.
class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> bytes, std::size_t at) : bytes_(bytes), at_(at) {}
  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }

  template <typename T>
  bool read(T& value) {
    if (left() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  bool read_text(std::string_view& text) {
    std::uint64_t length = 0;
    if (!read(length) || length > left()) return false;
    text = {reinterpret_cast<const char*>(bytes_.data()) + at_, static_cast<std::size_t>(length)};
    at_ += static_cast<std::size_t>(length);
    return true;
  }
  bool skip(std::uint64_t count, std::size_t width) {
    if (width != 0 && count > left() / width) return false;
    at_ += static_cast<std::size_t>(count) * width;
    return true;
  }
  std::span<const std::byte> since(std::size_t begin) const {
    return bytes_.subspan(begin, at_ - begin);
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_;
};

}  // namespace ocellus::formats
