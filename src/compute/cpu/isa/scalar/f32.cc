// The reference: the same kernels on a vector that is a plain array. Slow and obviously right;
// every other table must give the same bits.
#include "compute/cpu/gemm/f32_kernels.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "scalar";
constexpr int kTileVectors = 1;
#define OCELLUS_TILE_ROWS 6

// In this order.
// clang-format off
#include "compute/cpu/isa/scalar/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
#include "compute/cpu/elementwise/activation-inl.h"
#include "compute/cpu/gemm/f32-inl.h"
// clang-format on

}  // namespace

const F32Kernels& scalar_f32_kernels() { return kF32Table; }

}  // namespace ocellus::compute::cpu
