#include <immintrin.h>

#include "compute/cpu/elementwise/kernels.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

// In this order.
// clang-format off
#include "compute/cpu/isa/avx2/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
#include "compute/cpu/elementwise/activation-inl.h"
#include "compute/cpu/elementwise/elementwise-inl.h"
// clang-format on

}  // namespace

const ElementwiseKernels* avx2_elementwise() { return has_avx2() ? &kElementwiseTable : nullptr; }

}  // namespace ocellus::compute::cpu
