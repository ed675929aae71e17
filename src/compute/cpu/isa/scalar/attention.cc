// The reference of attention: see kernels.cc.
#include "compute/cpu/attention/kernels.h"

namespace ocellus::compute::cpu {
namespace {

// In this order.
// clang-format off
#include "compute/cpu/isa/scalar/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
// clang-format on

constexpr int kAttentionVectors = 8;

inline std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
// To nearest, ties to even; a NaN stays one, quiet.
inline void store_half(std::uint16_t* p, V v) {
  for (int i = 0; i < kLanes; ++i) {
    const std::uint32_t bits = bits_of(v.lane[i]), sign = bits >> 16 & 0x8000u,
                        size = bits & 0x7FFFFFFFu;
    std::uint32_t half;
    if (size > 0x7F800000u) {
      half = 0x7E00u | (size >> 13 & 0x3FFu);
    } else if (size >= 0x477FF000u) {  // 65520 and above round to infinity
      half = 0x7C00u;
    } else if (size >= 0x38800000u) {  // normal halves
      half = (size - 0x38000000u + 0xFFFu + (size >> 13 & 1u)) >> 13;
    } else {  // multiples of 2^-24: the addition rounds
      half = bits_of(from_bits(size) + 0.5f) - bits_of(0.5f);
    }
    p[i] = static_cast<std::uint16_t>(sign | half);
  }
}
inline void store_bytes(std::int8_t* p, V v) {
  for (int i = 0; i < kLanes; ++i) p[i] = static_cast<std::int8_t>(v.lane[i]);
}
// In this order.
// clang-format off
#include "compute/cpu/isa/transpose-inl.h"
#include "compute/cpu/attention/attention-inl.h"
// clang-format on

}  // namespace

const AttentionKernels& scalar_attention() { return kAttentionTable; }

}  // namespace ocellus::compute::cpu
