// AVX2, FMA and F16C: sixteen lanes are two registers; the tile of 6 rows x 16 outputs takes 12 of
// the 16 registers.
#include <immintrin.h>

#include "compute/cpu/gemm/f32_kernels.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "avx2";
constexpr int kTileVectors = 1;
#define OCELLUS_TILE_ROWS 6

// In this order.
// clang-format off
#include "compute/cpu/isa/avx2/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
#include "compute/cpu/elementwise/activation-inl.h"
#include "compute/cpu/gemm/f32-inl.h"
// clang-format on

}  // namespace

const F32Kernels* avx2_f32_kernels() { return has_avx2() ? &kF32Table : nullptr; }

}  // namespace ocellus::compute::cpu
