// The decoder part: Llama, Mistral, Granite and Qwen from 2 to 3.5 are one language model with
// different switches. Reference: transformers,
// models/{llama,mistral,granite,qwen2,qwen3,qwen3_5}/modeling_*.py.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "compute/backend.h"
#include "models/language_model.h"
#include "models/parts/decoder_config.h"
#include "models/parts/delta_net.h"
#include "models/parts/rope.h"
#include "models/parts/weight_loader.h"
#include "models/tensor_table.h"

namespace ocellus::models {

// Its tensors: "language.embed_tokens.weight", "language.layers.0. ...", "language.norm.weight",
// "lm_head.weight" where the head is not the embeddings, by GGUF's names too.
void add_decoder_tensors(TensorTable& table, const DecoderConfig& config);

// Immutable after loading; any thread, each with its own scratch.
class Decoder final : public LanguageModel {
 public:
  // Of a table with add_decoder_tensors(). kBadModel, kUnsupported, kOutOfMemory, kCancelled.
  static Result<std::unique_ptr<Decoder>> load(const DecoderConfig& config,
                                               const WeightLoader& loader);

  const LanguageFacts& facts() const override { return facts_; }
  compute::KvGeometry kv_geometry(tensor::DType dtype) const override;
  Result<std::size_t> kv_block_bytes(const compute::KvGeometry& geometry) const override {
    return backend_->kv_block_bytes(geometry);
  }
  std::unique_ptr<LanguageModel::Scratch> make_scratch() const override;
  Status embed(std::span<const std::int32_t> ids, compute::Matrix out) const override;
  Status begin(const Step& step, LanguageModel::Scratch& scratch) const override;
  Status run_layer(std::int64_t layer, const Step& step,
                   LanguageModel::Scratch& scratch) const override;
  Status head(const Step& step, LanguageModel::Scratch& scratch,
              compute::Matrix logits) const override;

 private:
  struct Layer {
    Norm attention_norm, mlp_norm, q_norm, k_norm;
    Linear q, k, v, o, gate, up, down;
    std::optional<DeltaNet> delta;  // in place of attention
    std::int64_t index = 0;         // among those of its kind: of the cache or of the state
  };

  struct Scratch;
  Result<Layer> load_layer(std::int64_t index, const WeightLoader& loader) const;
  Result<Norm> load_norm(const std::string& name, const WeightLoader& loader) const;
  Status run_attention(const Layer& layer, const Step& step, Scratch& scratch) const;
  Status run_delta_net(const Layer& layer, const Step& step, Scratch& scratch) const;
  // x += residual_scale * linear(input)
  Status add_to(compute::Matrix x, const Linear& linear, compute::ConstMatrix input,
                Scratch& scratch) const;
  Status norm_heads(compute::Matrix x, const Norm& norm) const;
  Status run_mlp(const Layer& layer, const Step& step, Scratch& scratch) const;

  const compute::Backend* backend_ = nullptr;
  LanguageFacts facts_;
  DecoderConfig config_;
  std::unique_ptr<compute::Weight> embeddings_,
      head_;  // head_ is null where it is the embedding table
  std::vector<Layer> layers_;
  Norm norm_;
  std::unique_ptr<Rope> rope_;
};

}  // namespace ocellus::models
