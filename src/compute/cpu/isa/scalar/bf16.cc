// The reference of the bf16 products. Only tests run it: machines without the instruction multiply
// bf16 weights in f32, which is faster and more exact.
#include "compute/cpu/gemm/bf16_kernels.h"

namespace ocellus::compute::cpu {
namespace {

float from_bits(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }

// What the instruction does with numbers below the normal range, coming and going.
float flushed(float x) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x);
  return (bits & 0x7F800000u) == 0 ? from_bits(bits & 0x80000000u) : x;
}

float value_of(std::uint16_t bits) { return flushed(from_bits(std::uint32_t{bits} << 16)); }

void bf16_tile(const std::uint16_t* a, int rows, const std::uint16_t* b, std::int64_t pairs,
               bool add, float* c) {
  for (int r = 0; r < rows; ++r) {
    for (int o = 0; o < kPanel; ++o) {
      float sum = 0;
      for (std::int64_t k = 0; k < pairs; ++k) {
        for (int half = 1; half >= 0; --half) {
          sum = flushed(__builtin_fmaf(value_of(a[(k * rows + r) * 2 + half]),
                                       value_of(b[(k * kPanel + o) * 2 + half]), sum));
        }
      }
      float& to = c[r * kPanel + o];
      to = add ? to + sum : sum;
    }
  }
}

void round_row(const float* x, std::int64_t n, std::uint16_t* to) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x[i]);
    const bool nan = x[i] != x[i];
    to[i] = static_cast<std::uint16_t>(
        (nan ? bits | 0x400000u : bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
  }
}

constexpr Bf16Kernels kBf16Table = {
    .name = "scalar", .tile_rows = kMaxTileRows, .round_row = round_row, .tile = bf16_tile};

}  // namespace

const Bf16Kernels& scalar_bf16_kernels() { return kBf16Table; }

}  // namespace ocellus::compute::cpu
