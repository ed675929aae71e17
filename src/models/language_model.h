// The language model as the engine runs it: a step is embedded, taken through the layers one by
// one, and ends in logits. Between two layers the engine may do something else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "compute/backend.h"
#include "ocellus/error.h"

namespace ocellus::models {

// Where a row stands for rotary embedding: one number, or time, height and width (M-RoPE). A slot,
// its place in the key-value cache, is another thing: the rows of a picture may share a position.
using Position = std::array<std::int32_t, 3>;

struct LanguageFacts {
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t layers = 0;
  std::int64_t max_position = 0;  // tokens that it was trained for
  compute::Arithmetic arithmetic = compute::Arithmetic::kF32;
  // Bytes of state that a sequence has beside its keys and values (recurrent layers); 0: none. All
  // zero at the start of a sequence.
  std::size_t state_bytes = 0;
  // Rows of one image see each other both ways: they are always computed in one step.
  bool images_attend_both_ways = false;
};

// A run of rows of a step that belong to one sequence.
struct StepRows {
  compute::SequenceRows cache;          // rows, slots, blocks
  std::span<const Position> positions;  // [cache.rows]
  std::span<std::byte> state = {};      // [state_bytes], updated in place layer by layer
};

// Rows that are added to the hidden state after one layer (Qwen3-VL's deepstack).
struct InnerRows {
  std::int64_t layer = 0;      // added to what this layer gives
  std::int64_t first_row = 0;  // of the step
  tensor::ConstMatrix rows;    // [any, hidden_size]
};

struct Step {
  compute::KvGeometry geometry;
  compute::Matrix x;                // [rows, hidden_size]: embeddings at first, then hidden states
  std::vector<StepRows> sequences;  // decode rows first
  std::vector<InnerRows> inner;
  std::vector<std::int64_t>
      logit_rows;  // rows that go through the head, in the order of the logits
};

// Immutable after loading; any thread, each with its own scratch.
class LanguageModel {
 public:
  // Buffers of one step at a time: what begin() prepared stays valid until the next begin().
  class Scratch {
   public:
    virtual ~Scratch() = default;
  };

  virtual ~LanguageModel() = default;

  virtual const LanguageFacts& facts() const = 0;
  // How keys and values are kept in `dtype`; and the bytes of one block of them, kUnsupported for a
  // type that the backend has not.
  virtual compute::KvGeometry kv_geometry(tensor::DType dtype) const = 0;
  virtual Result<std::size_t> kv_block_bytes(const compute::KvGeometry& geometry) const = 0;
  virtual std::unique_ptr<Scratch> make_scratch() const = 0;

  // Rows of the embedding table, as the first layer takes them: out [ids, hidden_size]. Every id is
  // in [0, vocab_size).
  virtual Status embed(std::span<const std::int32_t> ids, compute::Matrix out) const = 0;

  // A step: begin(), then every layer in order, then head(). After an error, or when a step is left
  // unfinished, its slots and states must not be used. kOutOfMemory.
  virtual Status begin(const Step& step, Scratch& scratch) const = 0;
  virtual Status run_layer(std::int64_t layer, const Step& step, Scratch& scratch) const = 0;
  // logits [logit_rows, vocab_size].
  virtual Status head(const Step& step, Scratch& scratch, compute::Matrix logits) const = 0;
};

}  // namespace ocellus::models
