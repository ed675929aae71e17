// Products in bfloat16: pairs of values are multiplied and added to f32 sums. Where the machine has
// no such instruction, bf16 weights are multiplied in f32 (f32_kernels.h).
#pragma once

#include <cstdint>

#include "compute/cpu/gemm/f32_kernels.h"

namespace ocellus::compute::cpu {

inline constexpr int kBf16BlockK = 1024;  // 64 KiB of weights beside a tile's 24 KiB of activations

struct Bf16Kernels {
  const char* name;
  int tile_rows;

  // Rounds n values to nearest even.
  void (*round_row)(const float* x, std::int64_t n, std::uint16_t* to);
  // c[r][0..32) (+)= sum over pairs of k of a[pair][r][2] * b[pair][32][2]; rows <= tile_rows. One
  // chain for each output and call, in the order of k; a pair's second product is added first, each
  // with one rounding, subnormal results being zero. `add`: the sum is added to c, else it is c.
  void (*tile)(const std::uint16_t* a, int rows, const std::uint16_t* b, std::int64_t pairs,
               bool add, float* c);
};

// The same arithmetic in plain code, for tests.
const Bf16Kernels& scalar_bf16_kernels();
// Null where the machine lacks the instructions: has_avx512bf16() of topology/isa.h.
const Bf16Kernels* avx512_bf16_kernels();

}  // namespace ocellus::compute::cpu
