// GGUF bytes for tests, right or wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace ocellus::formats {

// Writes what it is told, right or wrong.
class GgufBuilder {
 public:
  template <typename T>
  GgufBuilder& put(T value) {
    bytes_.resize(bytes_.size() + sizeof(T));
    std::memcpy(bytes_.data() + bytes_.size() - sizeof(T), &value, sizeof(T));
    return *this;
  }
  GgufBuilder& text(std::string_view text) {
    put<std::uint64_t>(text.size());
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    bytes_.insert(bytes_.end(), bytes, bytes + text.size());
    return *this;
  }
  GgufBuilder& header(std::uint64_t tensors, std::uint64_t entries, std::uint32_t version = 3) {
    return put<std::uint32_t>(0x46554747).put(version).put(tensors).put(entries);
  }
  GgufBuilder& entry(std::string_view key, std::uint32_t type) { return text(key).put(type); }
  GgufBuilder& tensor(std::string_view name, std::vector<std::uint64_t> sizes, std::uint32_t type,
                      std::uint64_t offset) {
    text(name).put<std::uint32_t>(static_cast<std::uint32_t>(sizes.size()));
    for (const std::uint64_t size : sizes) put(size);
    return put(type).put(offset);
  }
  GgufBuilder& align(std::size_t to = 32) {
    while (bytes_.size() % to != 0) bytes_.push_back(std::byte{0});
    return *this;
  }
  GgufBuilder& zeros(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace ocellus::formats
