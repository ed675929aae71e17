// AVX-512: sixteen lanes are one register; the tile of 12 rows x 32 outputs takes 24 of the 32
// registers.
#include <immintrin.h>

#include "compute/cpu/gemm/f32_kernels.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "avx512";
constexpr int kTileVectors = 2;
#define OCELLUS_TILE_ROWS 12

// In this order.
// clang-format off
#include "compute/cpu/isa/avx512/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
#include "compute/cpu/elementwise/activation-inl.h"
#include "compute/cpu/gemm/f32-inl.h"
// clang-format on

}  // namespace

const F32Kernels* avx512_f32_kernels() { return has_avx512() ? &kF32Table : nullptr; }

}  // namespace ocellus::compute::cpu
