// AVX2, FMA and F16C: sixteen lanes are two registers; the tile of 6 rows x 16 outputs takes 12 of
// the 16 registers.
#include "compute/cpu/kernels.h"

#include <immintrin.h>

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "avx2";
constexpr int kTileVectors = 1;
#define OCELLUS_TILE_ROWS 6

#include "compute/cpu/avx2/vector.inc"
#include "compute/cpu/vector_math.inc"
// The loops over them.
#include "compute/cpu/kernels_body.inc"

}  // namespace

const Kernels* avx2_kernels() {
  const bool there = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                     __builtin_cpu_supports("f16c");
  return there ? &kTable : nullptr;
}

}  // namespace ocellus::compute::cpu
