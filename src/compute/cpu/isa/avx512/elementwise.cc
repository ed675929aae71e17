#include <immintrin.h>

#include "compute/cpu/elementwise/kernels.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

// In this order.
// clang-format off
#include "compute/cpu/isa/avx512/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
#include "compute/cpu/elementwise/activation-inl.h"
#include "compute/cpu/elementwise/elementwise-inl.h"
// clang-format on

}  // namespace

const ElementwiseKernels* avx512_elementwise() {
  return has_avx512() ? &kElementwiseTable : nullptr;
}

}  // namespace ocellus::compute::cpu
