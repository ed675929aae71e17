// Operations on single rows: norms and rotations. One table for each instruction set; every result
// is the same sequence of IEEE f32 operations in all of them, so results are equal bit for bit.
//
// Files that implement a table are compiled with instruction-set flags. The linker keeps one copy
// of an inline function for everybody, perhaps the one made with such flags, so headers of tables
// have plain data only.
#pragma once

#include <cstdint>

#include "compute/cpu/isa/blocking.h"
#include "tensor/activation.h"

namespace ocellus::compute::cpu {

using tensor::Activation;

// Any thread. Rows have n >= 1 values; y may be x.
struct ElementwiseKernels {
  // y = (x - mean) / sqrt(variance + eps) * weight + bias; bias may be null.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps,
                     std::int64_t n, float* y);
  // y = x / sqrt(mean(x^2) + eps) * weight.
  void (*rms_norm)(const float* x, const float* weight, float eps, std::int64_t n, float* y);
  // Rotates (x[i], x[i + half]) by the angle of cos[i], sin[i], in place.
  void (*rotate)(float* x, const float* cos, const float* sin, std::int64_t half);
};

const ElementwiseKernels& scalar_elementwise();
// Null where the machine lacks the instructions.
const ElementwiseKernels* avx2_elementwise();    // topology/isa.h: has_avx2()
const ElementwiseKernels* avx512_elementwise();  // has_avx512()

}  // namespace ocellus::compute::cpu
