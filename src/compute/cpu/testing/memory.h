// What the kernel tests need: memory with forbidden pages on both sides, and values that break
// things.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace ocellus::compute::cpu::testing {

// At which end of its pages an array lies: reading one element too far faults on that side; on the
// other side, changed guard bytes tell of a write.
enum class Edge { kFront, kBack };

// n elements of T in pages of their own, between two pages that nobody may touch. Lying at the
// back, arrays of different lengths begin at every alignment that their type allows.
template <typename T>
class Fenced {
 public:
  Fenced(std::size_t n, Edge edge) : n_(n) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    inner_ = (n * sizeof(T) + page) / page * page;
    size_ = inner_ + 2 * page;
    void* const map =
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    map_ = static_cast<std::byte*>(map);
    begin_ = map_ + page;
    mprotect(map_, page, PROT_NONE);
    mprotect(begin_ + inner_, page, PROT_NONE);
    std::memset(begin_, kGuard, inner_);
    data_ = reinterpret_cast<T*>(edge == Edge::kFront ? begin_ : begin_ + inner_ - n * sizeof(T));
  }
  Fenced(std::span<const T> values, Edge edge) : Fenced(values.size(), edge) {
    if (n_ > 0) std::memcpy(data_, values.data(), n_ * sizeof(T));
  }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  ~Fenced() { munmap(map_, size_); }

  T* data() const { return data_; }
  std::span<T> span() const { return {data_, n_}; }
  std::vector<T> copy() const { return {data_, data_ + n_}; }
  bool guards_unchanged() const {
    const auto* const from = reinterpret_cast<const std::byte*>(data_);
    for (const std::byte* p = begin_; p < begin_ + inner_; ++p) {
      const bool inside = p >= from && p < from + n_ * sizeof(T);
      if (!inside && *p != std::byte{kGuard}) return false;
    }
    return true;
  }

 private:
  static constexpr unsigned char kGuard = 0xA5;
  std::size_t n_, inner_ = 0, size_ = 0;
  std::byte* map_ = nullptr;
  std::byte* begin_ = nullptr;
  T* data_ = nullptr;
};

// kUsual: as activations are. kWide: any magnitude, with finite products and sums. kAny: any bits
// at all.
enum class Values { kUsual, kWide, kAny };
inline constexpr Values kAllValues[] = {Values::kUsual, Values::kWide, Values::kAny};

inline std::vector<float> random_values(std::size_t n, Values kind, std::uint64_t seed) {
  using Limits = std::numeric_limits<float>;
  constexpr float kSpecial[] = {0.0f,
                                -0.0f,
                                Limits::infinity(),
                                -Limits::infinity(),
                                Limits::quiet_NaN(),
                                -Limits::quiet_NaN(),
                                Limits::denorm_min(),
                                -Limits::denorm_min(),
                                Limits::min(),
                                -Limits::min(),
                                Limits::max(),
                                Limits::lowest(),
                                1.0f,
                                -1.0f,
                                88.7f,
                                -88.7f,
                                -104.0f};
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) {
    const auto bits = static_cast<std::uint32_t>(random());
    value = normal(random);
    if (kind == Values::kWide) {
      value = std::ldexp(value, static_cast<int>(bits % 110) - 55);
    } else if (kind == Values::kAny) {
      value = bits % 4 == 0   ? kSpecial[bits / 4 % std::size(kSpecial)]
              : bits % 4 == 1 ? std::bit_cast<float>(static_cast<std::uint32_t>(random()))
                              : value;
    }
  }
  return values;
}

// Equal bits; a NaN equals any NaN, since IEEE 754 leaves the payload of a result open.
inline bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

inline ::testing::AssertionResult same(std::span<const float> found,
                                       std::span<const float> expected) {
  if (found.size() != expected.size()) return ::testing::AssertionFailure() << "sizes differ";
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!same(found[i], expected[i])) {
      return ::testing::AssertionFailure() << "at " << i << " of " << found.size() << ": found "
                                           << found[i] << ", expected " << expected[i];
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace ocellus::compute::cpu::testing
