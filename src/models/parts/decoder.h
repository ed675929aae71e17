// The language model: Llama, Mistral and Qwen2 are one decoder with different switches.
// Reference: transformers, models/{llama,mistral,qwen2}/modeling_*.py.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "compute/backend.h"
#include "formats/model_config.h"
#include "models/parts/rope.h"
#include "models/parts/weight_loader.h"

namespace ocellus::models {

// Immutable after loading; forward() needs scratch of its own.
class Decoder {
 public:
  // What is not alive at the same time shares a buffer, so that more of it stays in the cache: a
  // layer's norms and what it attended to; its q, k and v and its gated rows.
  struct Scratch {
    MatrixBuffer narrow, wide, cos, sin, last;
  };

  static Result<Decoder> load(const formats::LanguageConfig& config, const WeightLoader& loader);

  const formats::LanguageConfig& config() const { return config_; }
  compute::KvGeometry kv_geometry(tensor::DType dtype) const;
  compute::Arithmetic arithmetic() const { return arithmetic_; }

  // Rows of the embedding table: out [ids, hidden_size]. Every id is in [0, vocab_size).
  Status embed(const compute::Backend& backend, std::span<const std::int32_t> ids,
               compute::Matrix out) const;

  // One step for several sequences. inputs [rows, hidden_size] is overwritten; `sequences` says
  // which rows are whose, at which positions, and where their keys and values are kept; those of
  // decode_rows tokens come first. logits
  // [wanted_rows, vocab_size] gets those of the rows named, in that order. kCancelled within a
  // layer's time when `stop` says so; the sequences' blocks then hold half a step and must not be
  // used from their first_slot on.
  Status forward(const compute::Backend& backend, const compute::KvGeometry& geometry,
                 compute::Matrix inputs, std::span<const compute::SequenceRows> sequences,
                 std::span<const std::int64_t> wanted_rows, Scratch& scratch,
                 compute::Workspace& workspace, const StopCheck& stop,
                 compute::Matrix logits) const;

 private:
  struct Layer {
    Norm attention_norm, mlp_norm;
    Linear q, k, v, o, gate, up, down;
  };

  Status run_attention(std::int64_t index, const compute::Backend& backend,
                       const compute::KvGeometry& geometry,
                       std::span<const compute::SequenceRows> sequences, std::int64_t decode_rows,
                       compute::ConstMatrix cos, compute::ConstMatrix sin, Scratch& scratch,
                       compute::Workspace& workspace, compute::Matrix x) const;
  Status run_mlp(const Layer& layer, const compute::Backend& backend, std::int64_t decode_rows,
                 Scratch& scratch, compute::Workspace& workspace, compute::Matrix x) const;

  formats::LanguageConfig config_;
  compute::Arithmetic arithmetic_ = compute::Arithmetic::kF32;
  std::unique_ptr<compute::Weight> embeddings_,
      head_;  // head_ is null where it is the embedding table
  std::vector<Layer> layers_;
  Norm norm_;
  std::unique_ptr<Rope> rope_;
};

}  // namespace ocellus::models
