// Products in f32 and the epilogue of all products. One table for each instruction set.
//
// Contract of all tables: every result is the same sequence of IEEE f32 operations, so results are
// equal bit for bit. A product over K is cut into blocks of kBlockK: inside a block one chain of
// fused multiply-adds in the order of k, starting from zero; the blocks' sums are then added in
// order. Plain data only (elementwise/kernels.h says why).
#pragma once

#include <cstdint>

#include "compute/cpu/isa/blocking.h"
#include "tensor/activation.h"

namespace ocellus::compute::cpu {

using tensor::Activation;

inline constexpr int kMaxTileRows = 12;  // rows of the largest register tile
// Up to so many rows take 16-bit weights as they are; more share one expansion to f32.
inline constexpr int kDirectRows = 4;

enum class Element : std::uint8_t { kF32, kF16, kBF16 };

// c[r][0..32) (+)= sum over k < depth of a[k * rows + r] * b[k * 32 + o].
struct F32Tile {
  const float* a;  // [depth][rows]
  int rows;        // at most tile_rows; at most kDirectRows where b is not f32
  Element element;
  const void* b;  // [depth][32] of `element`
  std::int64_t depth;
  bool add;  // else c is overwritten
  float* c;  // [rows][32]
};

// The sums of some rows with one panel, and what they become.
struct EpilogueArgs {
  const float* c;  // [rows][32]
  std::int64_t rows;
  const float* bias;      // [n], or null
  const float* residual;  // [rows], residual_stride apart, or null; may be y
  std::int64_t residual_stride;
  int n;  // outputs, at most 32
  float* y;
  std::int64_t y_stride;
};

struct F32Kernels {
  const char* name;
  int tile_rows;  // rows of this table's register tile, at most kMaxTileRows

  void (*tile)(const F32Tile& tile);
  // n values (a multiple of 16, any alignment) to f32.
  void (*expand)(Element element, const void* from, std::int64_t n, float* to);
  // y[r][i] = activation(c[r][i] + bias[i]) + residual[r][i].
  void (*epilogue)(Activation activation, const EpilogueArgs& args);
  // y[r][i] = activation(gate[r][i] + gate_bias[i]) * (c[r][i] + bias[i]); gate [rows][32];
  // args.residual is not used.
  void (*gated_epilogue)(Activation activation, const EpilogueArgs& args, const float* gate,
                         const float* gate_bias);
};

const F32Kernels& scalar_f32_kernels();
// Null where the machine lacks the instructions (topology/isa.h).
const F32Kernels* avx2_f32_kernels();
const F32Kernels* avx512_f32_kernels();

}  // namespace ocellus::compute::cpu
