// Operations on single rows: norms, rotations, and the parts of a gated delta net. One table for
// each instruction set; every result is the same sequence of IEEE f32 operations in all of them, so
// results are equal bit for bit.
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

// Most tokens that a convolution sees, and columns of a state that are worked on at once.
inline constexpr std::int64_t kMaxConvolution = 8, kDeltaColumns = 2 * kLanes;

// Rows of one sequence for some columns of one head's state [k_dim, columns]. For each: the state
// decays; what it holds for the key is brought towards the value by the weight; the query reads it.
struct DeltaStrip {
  std::int64_t rows, k_dim, columns;
  const float *q, *k, *v;
  std::int64_t stride;  // of q, k and v: to the next row
  const float *decay, *weight;
  std::int64_t gate_stride;
  float* state;
  std::int64_t state_stride;
  float* out;
  std::int64_t out_stride;
};

// Any thread. Rows have n >= 1 values; y may be x.
struct ElementwiseKernels {
  // y = (x - mean) / sqrt(variance + eps) * weight + bias; bias may be null.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps,
                     std::int64_t n, float* y);
  // y = x / sqrt(mean(x^2) + eps) * weight.
  void (*rms_norm)(const float* x, const float* weight, float eps, std::int64_t n, float* y);
  // Rotates (x[i], x[i + half]) by the angle of cos[i], sin[i], in place.
  void (*rotate)(float* x, const float* cos, const float* sin, std::int64_t half);
  // y = silu(sum over i < kernel of taps[i] * weights[i * stride]), each of n values; y may be one
  // of the taps.
  void (*short_convolution)(const float* const* taps, const float* weights, std::int64_t stride,
                            std::int64_t kernel, std::int64_t n, float* y);
  void (*delta_rule)(const DeltaStrip& strip);
  // y *= sigmoid(gate), or silu(gate).
  void (*gate)(float* y, const float* gate, std::int64_t n, bool silu);
};

const ElementwiseKernels& scalar_elementwise();
// Null where the machine lacks the instructions.
const ElementwiseKernels* avx2_elementwise();    // topology/isa.h: has_avx2()
const ElementwiseKernels* avx512_elementwise();  // has_avx512()

}  // namespace ocellus::compute::cpu
