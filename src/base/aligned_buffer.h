// Owned, aligned, uninitialised memory whose failed allocation is an Error, not an exception.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "ocellus/error.h"

namespace ocellus::base {

// 64 bytes: a cache line and the widest vector register. Movable, one owner, any thread.
class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 64;
  // From this size on the pages are asked to be huge ones (madvise): fewer TLB misses when
  // streamed.
  static constexpr std::size_t kHugePageThreshold = std::size_t{4} << 20;

  AlignedBuffer() = default;
  // kOutOfMemory with the bytes wanted. Zero bytes give an empty buffer. Contents are undefined.
  static Result<AlignedBuffer> make(std::size_t bytes);

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  std::span<std::byte> bytes() { return {data(), size_}; }
  std::span<const std::byte> bytes() const { return {data(), size_}; }

  // The memory seen as T; the caller knows what it holds.
  template <typename T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(data()), size_ / sizeof(T)};
  }
  template <typename T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data()), size_ / sizeof(T)};
  }

 private:
  struct Free {
    void operator()(std::byte* p) const noexcept;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace ocellus::base
