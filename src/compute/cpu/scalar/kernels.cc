// The reference: the same kernels on a vector that is a plain array. Slow and obviously right;
// every other table must give the same bits.
#include "compute/cpu/kernels.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "scalar";
constexpr int kTileVectors = 1;
#define OCELLUS_TILE_ROWS 6

#include "compute/cpu/scalar/vector.inc"
#include "compute/cpu/vector_math.inc"
// The loops over them.
#include "compute/cpu/kernels_body.inc"

}  // namespace

const Kernels& scalar_kernels() { return kTable; }

}  // namespace ocellus::compute::cpu
