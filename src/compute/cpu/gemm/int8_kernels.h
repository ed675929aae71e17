// Products in 8-bit integers. One table for each instruction set.
//
// Contract of all tables: integers are exact, and what is f32 is the same sequence of operations,
// so results are equal bit for bit. Activations are rounded to 8 bits with one scale for each
// kGroup values of a row; a product over K is cut into these groups, in order. Plain data only
// (elementwise/kernels.h says why).
#pragma once

#include <cstdint>

#include "compute/cpu/quant/chunk.h"

namespace ocellus::compute::cpu {

inline constexpr int kMaxInt8Rows = 12;  // of the largest register tile

// Of each sub-block: minus the sum of q over its first half, over its second half, over both; one
// is unused.
inline constexpr int kSums = 4;

// Rows of 8-bit activations, sub-block by sub-block, in the order in which a product reads them: x
// is about scale * q. `depth` is rounded up to kGroup, the rest is zero.
struct Int8Rows {
  const std::int8_t* q;          // [depth / kSubBlock][rows][kSubBlock], -127 to 127
  const float* scales;           // [depth / kGroup][rows]
  const std::int32_t* neg_sums;  // [depth / kSubBlock][rows][kSums]
  std::int64_t rows, depth;
};

// The rows of one register tile as round_row() writes them.
struct RoundedRows {
  const std::int8_t* q;          // [rows], `stride` apart
  const std::int32_t* neg_sums;  // [rows][depth / kSubBlock][kSums]
  std::int64_t stride, depth;    // depth: whole groups
  int rows;
};

// The rows of one register tile, interleaved.
struct Int8Tile {
  const std::int8_t* q;          // [depth / 4][rows], as interleave() writes them
  const float* scales;           // [depth / kGroup][rows]
  const std::int32_t* acc_init;  // [depth / kGroup][rows], as interleave() writes them
  int rows;
  std::int64_t next = 0;  // bytes from q to the next tile's, to prefetch it
};

// 8-bit weights of 32 outputs: w is scales * (q - 128).
struct Int8Panel {
  const std::uint8_t* q;  // [group] group_bytes apart: [kGroup / 4][32][4]
  std::int64_t group_bytes;
  const float* scales;  // [group][32]
  // [group][32], as widen_i16() writes them (q too); null where tiles take bytes.
  const std::int32_t* acc_init = nullptr;
};

struct Int8Kernels {
  const char* name;
  int tile_rows;         // rows of this table's register tile, at most kMaxInt8Rows
  int tile_value_bytes;  // of an activation or a weight of a tile

  // Rounds a row of n values to 8 bits: a group's largest magnitude becomes 127. The last group is
  // filled with zeros. A group with a value that is not finite gets the scale NaN.
  void (*round_row)(const float* x, std::int64_t n, std::int8_t* q, float* scales,
                    std::int32_t* neg_sums);
  // Writes the rows in the order of a tile, depth * rows * tile_value_bytes bytes, and acc_init,
  // what a group's integers begin with, [depth / kGroup][rows].
  void (*interleave)(const RoundedRows& rows, std::int8_t* out, std::int32_t* acc_init);
  // Null where tiles take bytes. Else widens 8-bit weights to 16 bits: `to` gets depth * 32 *
  // tile_value_bytes bytes without gaps, acc_init [groups][32] the outputs' part of what a group's
  // integers begin with. depth: as in tile().
  void (*widen_i16)(const Int8Panel& w, std::int64_t depth, std::uint8_t* to,
                    std::int32_t* acc_init);
  // c[r][o] (+)= for each group: c + (integer product) * (panel scale * row scale), one fused
  // multiply-add. rows <= tile_rows. `add`: else the chain begins with zero. depth: values, a
  // multiple of 4, groups beginning at 0.
  void (*tile)(const Int8Tile& a, const Int8Panel& w, std::int64_t depth, bool add, float* c);
  // c[r][o] (+)= the chunk's values, exact, times the rows from value k on (a multiple of kGroup).
  // For each group: the chain over its sub-blocks of scale * integers (- minimum * sum), then
  // c + chain * row scale; where one scale serves a whole group, what tile() does. `scratch`:
  // [rows][32].
  void (*dot)(const QuantChunk& chunk, const Int8Rows& x, std::int64_t k, bool add, float* scratch,
              float* c);
  // The chunk in f32, [length][32].
  void (*expand)(const QuantChunk& chunk, float* to);
  // The chunk as 8-bit weights with one scale for each kGroup values of an output, the largest
  // magnitude of which becomes 127; q [length / kGroup][kGroup / 4][32][4], scales
  // [length / kGroup][32]. Off by at most 0.8 of a step (0.5, and what 16-bit multipliers lose).
  // Types with one scale for kGroup values lose nothing. A group with an infinite or undefined
  // value has the scale NaN.
  void (*requantize)(const QuantChunk& chunk, std::uint8_t* q, float* scales);
};

const Int8Kernels& scalar_int8_kernels();
// Null where the machine lacks the instructions (topology/isa.h).
const Int8Kernels* avx2_int8_kernels();     // has_avx2()
const Int8Kernels* avxvnni_int8_kernels();  // has_avxvnni()
const Int8Kernels* avx512_int8_kernels();   // has_avx512vnni()

}  // namespace ocellus::compute::cpu
