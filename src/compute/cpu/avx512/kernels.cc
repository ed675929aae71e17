// AVX-512: sixteen lanes are one register; the tile of 12 rows x 32 outputs takes 24 of the 32
// registers.
#include "compute/cpu/kernels.h"

#include <immintrin.h>

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "avx512";
constexpr int kTileVectors = 2;
#define OCELLUS_TILE_ROWS 12

#include "compute/cpu/avx512/vector.inc"
#include "compute/cpu/vector_math.inc"
// The loops over them.
#include "compute/cpu/kernels_body.inc"

}  // namespace

const Kernels* avx512_kernels() {
  const bool there = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return there ? &kTable : nullptr;
}

}  // namespace ocellus::compute::cpu
