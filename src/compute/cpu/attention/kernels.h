// Attention and the KV cache. One table for each instruction set, under the contract of
// elementwise/kernels.h: plain data only, and the same sequence of f32 operations in every table.
//
// The arithmetic of one row and head, softmax(scale q K) V over the slots [from, to): slots are cut
// into blocks of 64 and ranges of kRangeBlocks blocks, both counted from slot 0. A range begins
// with maximum -inf, sixteen sums and an output of zeros. For each of its blocks, in order: the
// scores (one chain over head_dim each); the new maximum; sums and output times exp(old - new
// maximum); the weights exp(score - maximum) are added to the sums, lanes being slots modulo 16,
// and multiplied with the values, one chain over the slots in order. The ranges' results are merged
// in order. Slots outside [from, to) take part in nothing: a row's bits depend neither on the rows
// beside it nor on how many slots the cache holds.
#pragma once

#include <cstdint>

#include "compute/cpu/isa/blocking.h"

namespace ocellus::compute::cpu {

inline constexpr int kKvBlockTokens = 64;  // slots of a block of the KV cache
// 1024 slots: enough tasks for all cores when one sequence is decoded, and few merges.
inline constexpr int kRangeBlocks = 16;
// Query heads of rows that one call takes.
inline constexpr int kF32AttentionRows = 6;
inline constexpr int kBf16AttentionRows = 12;

// How keys and values are stored. kQ8: int8 with a scale for each slot. kPairs: pairs of bf16.
enum class KvElement : std::uint8_t { kF32, kF16, kQ8, kPairs };

// The state of one query head of one row: a record of floats.
inline constexpr int kStateMax = 0;    // the maximum of the scores
inline constexpr int kStateTotal = 1;  // sum of the weights, once the range is closed
inline constexpr int kStateSums = 16;  // [16]
inline constexpr int kStateOut = 32;   // [stride], not yet divided by the sum
inline constexpr int kStateFixed = 32;

// Some query heads of one key-value head against one block. "bf16": for Bf16AttentionKernels.
struct AttentionBlock {
  int rows;  // 1 to kF32AttentionRows; bf16: to kBf16AttentionRows
  int head_dim;
  int stride;  // head_dim rounded up to kLanes
  float scale;
  const void* q;  // f32 [rows][q_stride]; bf16: bf16, times scale and log2 e
  int q_stride;
  KvElement element;              // of keys and values; bf16: kPairs
  const std::uint8_t* keys;       // [head_dim][64]; bf16: [(head_dim + 1) / 2][64][2]
  const std::uint8_t* values;     // [64][stride]; bf16: [32][stride][2]
  const std::uint8_t* next_keys;  // the next block to be read, or keys
  const float* key_scales;        // [64] that the scores are multiplied with, or null
  const float* value_scales;      // [64] that the weights are multiplied with, or null
  // Slots of the block that each row sees: 0 <= from <= to <= 64; none: its state stays.
  int from[kBf16AttentionRows], to[kBf16AttentionRows];
  float* state;  // [rows] records, state_stride floats apart
  int state_stride;
  // bf16 only.
  bool unmasked;     // all rows see all of the block; `from` and `to` are not read
  bool first_block;  // of its range for all rows; the records are not read
};

// Consecutive slots of one key-value head inside one block, to be stored.
struct KvRun {
  const float* k;  // [tokens][k_stride], head_dim of them
  const float* v;
  std::int64_t k_stride, v_stride;
  int tokens, token;  // how many, and the first one's index in the block
  int head_dim, stride;
  KvElement element;
  std::uint8_t* keys;
  std::uint8_t* values;
  float* key_scales;  // kQ8 only
  float* value_scales;
};

struct AttentionKernels {
  void (*block)(const AttentionBlock& args);
  // Ends a range: the record's total from its sums.
  void (*close)(float* state);
  // Merges `part` into `into`. `unit`: ln of the base of the scores' exponential.
  void (*merge)(const float* part, int stride, float unit, float* into);
  // out[i] = the record's output / total, i < n.
  void (*finish)(const float* state, int n, float* out);
  // n stored values, a multiple of 16, in f32; kQ8 without its scales.
  void (*expand)(KvElement element, const std::uint8_t* from, std::int64_t n, float* to);
  void (*store)(const KvRun& run);
};

// Products of bf16 with f32 sums.
struct Bf16AttentionKernels {
  void (*block)(const AttentionBlock& args);
  // As in AttentionKernels; outputs are multiplied with 1 / total.
  void (*close)(float* state);
  void (*finish)(const float* state, int n, float* out);
  // q times `scale` to bf16, and a zero after an odd n.
  void (*pack_query)(const float* q, int n, float scale, std::uint16_t* to);
  // Rows of n stored values (a multiple of 16) to bf16, pairs of rows: [(rows + 1) /
  // 2][n][2], a zero beside an odd one.
  void (*pack_pairs)(KvElement element, const std::uint8_t* from, int rows, int n,
                     std::uint16_t* to);
  // kPairs, from an even slot on; keys of up to 15 slots after the run become zeros, as
  // does the value beside an odd last one.
  void (*store)(const KvRun& run);
};

// Null where the machine lacks the instructions.
const AttentionKernels& scalar_attention();
const AttentionKernels* avx2_attention();
const AttentionKernels* avx512_attention();
const Bf16AttentionKernels* avx512bf16_attention();  // the above and AVX512_BF16

}  // namespace ocellus::compute::cpu
