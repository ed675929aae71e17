#include "compute/cpu/elementwise/kernels.h"

namespace ocellus::compute::cpu {
namespace {

// In this order.
// clang-format off
#include "compute/cpu/isa/scalar/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
#include "compute/cpu/elementwise/activation-inl.h"
#include "compute/cpu/elementwise/elementwise-inl.h"
// clang-format on

}  // namespace

const ElementwiseKernels& scalar_elementwise() { return kElementwiseTable; }

}  // namespace ocellus::compute::cpu
