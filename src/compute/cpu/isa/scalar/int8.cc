// The reference of the 8-bit products: plain arrays.
#include "compute/cpu/gemm/int8_kernels.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "scalar";
constexpr int kInt8TileVectors = 1;
#define OCELLUS_INT8_ROWS 4

// In this order.
// clang-format off
#include "compute/cpu/isa/scalar/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
// clang-format on

struct I {
  std::int32_t lane[kLanes];
};
struct W {
  std::uint8_t byte[4 * kLanes];
};
struct B {
  std::int8_t byte[4];
};

template <typename Operation>
inline W each_byte(Operation operation) {
  W w;
  for (int i = 0; i < 4 * kLanes; ++i) w.byte[i] = static_cast<std::uint8_t>(operation(i));
  return w;
}

inline I set_i(std::int32_t x) {
  I i;
  for (std::int32_t& lane : i.lane) lane = x;
  return i;
}
inline I add_i(I a, I b) {
  for (int i = 0; i < kLanes; ++i) a.lane[i] += b.lane[i];
  return a;
}
template <int kBits>
inline I shift_left_i(I x) {
  for (std::int32_t& lane : x.lane) lane *= 1 << kBits;
  return x;
}
inline I broadcast_i(const std::int32_t* p) { return set_i(*p); }
inline I load_i(const float* p) {
  I x;
  __builtin_memcpy(x.lane, p, sizeof(x.lane));
  return x;
}
inline void store_i(float* p, I x) { __builtin_memcpy(p, x.lane, sizeof(x.lane)); }
inline V to_float(I x) {
  return each([&](int i) { return static_cast<float>(x.lane[i]); });
}
inline W load_w(const std::uint8_t* p) {
  return each_byte([=](int i) { return p[i]; });
}
inline void store_w(std::uint8_t* p, const W& w) { __builtin_memcpy(p, w.byte, sizeof(w.byte)); }
inline W and_w(const W& w, int byte) {
  return each_byte([&](int i) { return w.byte[i] & byte; });
}
inline W or_w(const W& a, const W& b) {
  return each_byte([&](int i) { return a.byte[i] | b.byte[i]; });
}
inline W add_w(const W& w, int byte) {
  return each_byte([&](int i) { return w.byte[i] + byte; });
}
// The bits that cross between bytes are always masked away.
template <int kBits>
inline W shift_right_w(const W& w) {
  return each_byte([&](int i) { return w.byte[i] >> kBits; });
}
template <int kBits>
inline W shift_left_w(const W& w) {
  return each_byte([&](int i) { return w.byte[i] << kBits; });
}
inline W or_where(std::uint64_t mask, const W& w, int byte) {
  return each_byte([&](int i) { return (mask >> i & 1) != 0 ? w.byte[i] | byte : w.byte[i]; });
}
inline V byte_of(const W& w, int j) {
  return each([&](int i) { return static_cast<float>(w.byte[4 * i + j]); });
}
inline B broadcast(const std::int8_t* p) { return {{p[0], p[1], p[2], p[3]}}; }
inline I dot(I acc, const W& w, B x) {
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < 4; ++j) acc.lane[i] += w.byte[4 * i + j] * x.byte[j];
  }
  return acc;
}

#include "compute/cpu/gemm/int8_bytes-inl.h"

inline float max_lane(V v) {
  float max = v.lane[0];
  for (const float lane : v.lane) max = lane > max ? lane : max;
  return max;
}
inline bool all_zero(V v) {
  for (const float lane : v.lane)
    if (!(lane == 0.0f)) return false;
  return true;
}
inline void store_bytes(V x, std::int8_t* p) {
  for (int i = 0; i < kLanes; ++i) p[i] = static_cast<std::int8_t>(x.lane[i]);
}
inline std::int32_t sum_bytes(const std::int8_t* p) {
  std::int32_t sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += p[i];
  return sum;
}
inline W max_w(const W& a, const W& b) {
  return each_byte([&](int i) { return a.byte[i] > b.byte[i] ? a.byte[i] : b.byte[i]; });
}
inline W min_w(const W& a, const W& b) {
  return each_byte([&](int i) { return a.byte[i] < b.byte[i] ? a.byte[i] : b.byte[i]; });
}
inline V max_byte(const W& w) {
  return max_of(max_of(byte_of(w, 0), byte_of(w, 1)), max_of(byte_of(w, 2), byte_of(w, 3)));
}
inline V min_byte(const W& w) {
  return min_of(min_of(byte_of(w, 0), byte_of(w, 1)), min_of(byte_of(w, 2), byte_of(w, 3)));
}
inline W words_of(V x) {
  W w;
  for (int i = 0; i < kLanes; ++i) {
    // What is not finite gives some number: its scale is NaN.
    const bool small = x.lane[i] > -1e9f && x.lane[i] < 1e9f;
    const auto word = static_cast<std::uint16_t>(small ? static_cast<std::int32_t>(x.lane[i]) : 0);
    for (int half = 0; half < 4; half += 2)
      __builtin_memcpy(w.byte + 4 * i + half, &word, sizeof(word));
  }
  return w;
}
inline W rescale(const W& w, const W& m, const W& o) {
  return each_byte([&](int i) {
    std::uint16_t multiplier, offset;
    __builtin_memcpy(&multiplier, m.byte + i / 2 * 2, sizeof(multiplier));
    __builtin_memcpy(&offset, o.byte + i / 2 * 2, sizeof(offset));
    return (std::uint32_t{w.byte[i]} * multiplier + offset) >> 8;
  });
}

// In this order.
// clang-format off
#include "compute/cpu/quant/unpack-inl.h"
#include "compute/cpu/gemm/int8-inl.h"
#include "compute/cpu/gemm/int8_decode-inl.h"
#include "compute/cpu/gemm/int8_table-inl.h"
// clang-format on

}  // namespace

const Int8Kernels& scalar_int8_kernels() { return kInt8Table; }

}  // namespace ocellus::compute::cpu
