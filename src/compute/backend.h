// The operations that models are made of, on one device.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "compute/delta_net.h"
#include "ocellus/error.h"
#include "tensor/activation.h"
#include "tensor/view.h"

namespace ocellus::compute {

using tensor::Activation;
using tensor::ConstMatrix;
using tensor::DType;
using tensor::Matrix;

// kF32: f32 multiply-adds, the same bits on every instruction set. kReducedPrecision: what the
// machine is fastest at (bf16 dot products, 8-bit integers), with a measured distance
// (docs/numerics.md).
enum class Arithmetic : std::uint8_t { kF32, kReducedPrecision };

// Scratch memory of one caller; grows as needed and is reused. One thread at a time; not shared
// between callers.
class Workspace {
 public:
  virtual ~Workspace() = default;
  virtual std::size_t bytes() const = 0;
};

// How a weight is held and multiplied. f32, f16 and bf16 are multiplied in f32; bf16 that is
// kReducedPrecision, in bf16 where the machine can. Block types are multiplied in 8-bit integers.
struct WeightFormat {
  DType dtype = DType::kF32;
  Arithmetic arithmetic = Arithmetic::kF32;

  // NOLINTNEXTLINE(google-explicit-constructor): a type alone is a format
  WeightFormat(DType type, Arithmetic way = Arithmetic::kF32) : dtype(type), arithmetic(way) {}
};

// A weight's memory and what describes it: enough to make the same weight from it, in another
// process too (Backend::map_weight).
struct PackedWeightView {
  // kReducedPrecision: bf16 that is multiplied as bf16; kF32: everything else.
  WeightFormat format = DType::kF32;
  std::int64_t out = 0, in = 0;
  std::span<const std::byte> bytes = {};
};

// A weight matrix [out, in] in the backend's own layout (packed panels on the CPU). Immutable; any
// thread may use it.
class Weight {
 public:
  virtual ~Weight() = default;
  virtual std::int64_t out() const = 0;
  virtual std::int64_t in() const = 0;
  virtual DType dtype() const = 0;                   // how the values are stored
  virtual std::size_t bytes() const = 0;             // memory held, or mapped
  virtual PackedWeightView packed_view() const = 0;  // borrows the weight's memory
};

// What follows the product of a linear layer, in this order: + bias, activation, + residual.
struct Epilogue {
  const float* bias = nullptr;  // [out], or none
  Activation activation = Activation::kNone;
  ConstMatrix residual = {};  // [rows, out], or none (data == nullptr); may be the output itself
};

// One of several linear layers that read the same rows.
struct LinearCall {
  const Weight* weight = nullptr;
  Epilogue epilogue = {};
  Matrix y = {};                     // [rows, out]
  const Weight* gate = nullptr;      // y = activation(gate x + gate_bias) * (weight x + bias); same
                                     // shape as weight; no residual then
  const float* gate_bias = nullptr;  // [out], or none
};

// How a key-value cache is cut into blocks. One block holds, for every layer, the keys and values
// of `block_tokens` consecutive slots; a sequence is a list of blocks, so that sequences can
// share a prefix.
struct KvGeometry {
  std::int64_t layers = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t block_tokens = 64;
  // kF32; kF16, rounded to nearest even; or kQ8_0, which means here: one signed byte per value with
  // one f32 scale for the keys and one for the values of each slot and head.
  DType dtype = DType::kF32;
};

// One layer of a cache.
struct KvLayer {
  const KvGeometry& geometry;
  std::int64_t layer = 0;  // below geometry.layers
};

// Slots [begin, end) of a sequence's cache.
struct SlotRange {
  std::int64_t begin = 0, end = 0;

  bool operator==(const SlotRange&) const = default;
};

// A run of consecutive rows of a step that belong to one sequence, in consecutive slots of its
// cache. A slot is a place in the cache. It is not a position, which only rope sees and which comes
// with the cos and sin of each row: several rows may share a position and still have a slot each.
// Attention orders rows by slot.
struct SequenceRows {
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  std::int64_t first_slot = 0;  // of the first row; every slot before it holds keys and values
  std::span<std::byte* const> blocks = {};  // enough for first_slot + rows slots
  // False: rows of a prompt. True: generated or drafted tokens, one or several at once; they are
  // attended in f32 whatever the shape's arithmetic.
  bool decode = false;
  // Blocks of rows that see each other both ways, as those of one picture in Gemma 3: a row whose
  // slot lies in such a range sees the whole range, beside what causality and the window let it
  // see. In ascending order, without overlaps; a range lies wholly in this run's slots, which
  // kv_store has stored, or wholly before them, where it changes nothing any more.
  std::span<const SlotRange> bidirectional = {};
};

struct AttentionShape {
  std::int64_t heads = 0;
  std::int64_t kv_heads =
      0;  // divides heads; query head h reads key-value head h / (heads / kv_heads)
  std::int64_t head_dim = 0;
  float scale = 0;  // usually 1 / sqrt(head_dim)
  std::int64_t window =
      0;  // sliding window: a row sees its own slot and the window - 1 before; 0: all
  // kReducedPrecision: rows of prompts and pictures are multiplied as bf16 where the machine can,
  // summed in f32.
  Arithmetic arithmetic = Arithmetic::kF32;
};

// The slots that row i of a sequence sees: its own and all before it, or the last shape.window of
// these; where its slot lies in a bidirectional range, that range too. Ascending: neither end lies
// before that of an earlier row.
inline SlotRange seen_slots(const AttentionShape& shape, const SequenceRows& sequence,
                            std::int64_t i) {
  const std::int64_t slot = sequence.first_slot + i;
  SlotRange seen{0, slot + 1};
  if (shape.window > 0) seen.begin = std::max<std::int64_t>(0, seen.end - shape.window);
  if (sequence.bidirectional.empty()) return seen;
  const auto block = std::ranges::upper_bound(sequence.bidirectional, slot, {}, &SlotRange::end);
  if (block != sequence.bidirectional.end() && block->begin <= slot) {
    seen.begin = std::min(seen.begin, block->begin);
    seen.end = block->end;
  }
  return seen;
}

// All operations: f32 activations, row-major; outputs must not overlap inputs unless the comment
// says so. Sizes are not checked (they come from a checked config); kOutOfMemory when scratch
// memory cannot be had. Threads: any, each with its own workspace; calls are served one after the
// other by the shared compute pool. Reproducible: every output element is one reduction in a fixed
// order, so a row's result depends neither on the other rows of the call, nor on the number of
// threads, nor, in f32, on the instruction set.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string describe() const = 0;  // "cpu: avx512, 2 threads"
  virtual bool multiplies_bf16()
      const = 0;  // whether kReducedPrecision bf16 weights are multiplied in bf16
  virtual std::unique_ptr<Workspace> make_workspace() const = 0;

  // Copies `source` [out, in] (f32, f16, bf16 or a block type, any alignment) into the backend's
  // layout, stored as format.dtype: f32, f16 or bf16, rounded to nearest even where narrower, or a
  // block type (tensor/quant.h). kUnsupported for other types; kInvalidArgument where rows are not
  // whole blocks (but for q8 and q4, whose last block may be part of one).
  virtual Result<std::unique_ptr<Weight>> make_weight(const tensor::TensorView& source,
                                                      WeightFormat format) const = 0;

  // Name and version of the layout of packed weights. Bytes packed under one name mean the same to
  // every backend that gives this name.
  virtual std::string weight_layout() const = 0;
  // A weight in packed memory: nothing is copied or read. The bytes, which begin at a multiple of
  // 64, must not change while the weight holds `owner`. kInvalidArgument where format, sizes and
  // bytes do not fit together; kUnsupported for a format that this machine cannot multiply.
  virtual Result<std::unique_ptr<Weight>> map_weight(const PackedWeightView& image,
                                                     std::shared_ptr<const void> owner) const = 0;

  // For each call: y[r, o] = epilogue(sum over i of x[r, i] * w[o, i]); x [rows, in]. The first
  // `decode_rows` rows are decode rows, the others prefill rows. Of block types decode rows take
  // the exact values, prefill rows the values rounded to 8 bits with one scale for 128; activations
  // are rounded to 8 bits likewise. A row's result depends on what it is, never on how many rows
  // there are.
  virtual Status linear(ConstMatrix x, std::int64_t decode_rows, std::span<const LinearCall> calls,
                        Workspace& workspace) const = 0;

  // One layer alone.
  Status linear(const Weight& w, ConstMatrix x, const Epilogue& epilogue, Matrix y,
                Workspace& workspace, std::int64_t decode_rows = 0) const {
    const LinearCall call{&w, epilogue, y};
    return linear(x, decode_rows, {&call, 1}, workspace);
  }

  // out[r] = row ids[r] of the table, in f32. Every id is in [0, table.out()).
  virtual Status embed(const Weight& table, std::span<const std::int32_t> ids,
                       Matrix out) const = 0;

  // y = (x - mean) / sqrt(variance + eps) * weight + bias, row by row; y may be x. bias may be
  // null.
  virtual Status layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps,
                            Matrix y) const = 0;

  // y = x / sqrt(mean(x^2) + eps) * weight, row by row; y may be x.
  virtual Status rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const = 0;

  // Rotates the first 2 * half values of each head of x [rows, heads * head_dim] in place, "half
  // split" form: (x[i], x[i + half]) by the angle whose cos and sin are in row r of `cos`, `sin`
  // [rows, half]. Positions are the caller's: only these rows depend on them.
  virtual Status rope(Matrix x, std::int64_t heads, std::int64_t head_dim, ConstMatrix cos,
                      ConstMatrix sin) const = 0;

  // x *= 1 / (1 + exp(-gates)), value by value; both [rows, any].
  virtual Status gate(Matrix x, ConstMatrix gates) const = 0;

  // Convolution, states and gated norm of a gated delta net: all between its projections.
  // kUnsupported for a convolution over more than 8 tokens.
  virtual Status gated_delta_net(const DeltaNetCall& call) const = 0;

  // Attention of every row to every row, as in a vision tower: q [rows, heads * head_dim], k and v
  // [rows, kv_heads * head_dim], out like q.
  virtual Status attention(const AttentionShape& shape, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                           Matrix out, Workspace& workspace) const = 0;

  // Bytes of one block of the geometry. kUnsupported for a dtype that the backend cannot store keys
  // in.
  virtual Result<std::size_t> kv_block_bytes(const KvGeometry& geometry) const = 0;

  // Writes the rows of k and v [rows, kv_heads * head_dim] into the blocks of their sequences.
  virtual Status kv_store(const KvLayer& cache, std::span<const SequenceRows> sequences,
                          ConstMatrix k, ConstMatrix v) const = 0;

  // Causal attention of several sequences at once: the row in slot s of a sequence sees the slots
  // seen_slots() names, all of which are in the cache already (kv_store comes first). q, out [rows,
  // heads * head_dim].
  virtual Status causal_attention(const AttentionShape& shape, const KvLayer& cache,
                                  std::span<const SequenceRows> sequences, ConstMatrix q,
                                  Matrix out, Workspace& workspace) const = 0;
};

}  // namespace ocellus::compute
