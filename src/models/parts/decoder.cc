#include "models/parts/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/result.h"

namespace ocellus::models {

Result<Decoder> Decoder::load(const formats::LanguageConfig& config, const WeightLoader& loader) {
  Decoder decoder;
  const formats::LanguageConfig& c = decoder.config_ = config;
  decoder.arithmetic_ = loader.arithmetic();
  const std::int64_t hidden = c.hidden_size, q_width = c.heads * c.head_dim,
                     kv_width = c.kv_heads * c.head_dim;
  OCELLUS_ASSIGN_OR_RETURN(
      decoder.embeddings_,
      loader.matrix("language.embed_tokens.weight", {c.vocab_size, hidden}, c.vocab_size, hidden));
  for (std::int64_t i = 0; i < c.layers; ++i) {
    const std::string name = fmt::format("language.layers.{}.", i);
    Layer layer;
    OCELLUS_ASSIGN_OR_RETURN(layer.attention_norm,
                             loader.norm(name + "input_layernorm", hidden, false));
    OCELLUS_ASSIGN_OR_RETURN(layer.mlp_norm,
                             loader.norm(name + "post_attention_layernorm", hidden, false));
    OCELLUS_ASSIGN_OR_RETURN(
        layer.q, loader.linear(name + "self_attn.q_proj", q_width, hidden, c.attention_qkv_bias));
    OCELLUS_ASSIGN_OR_RETURN(
        layer.k, loader.linear(name + "self_attn.k_proj", kv_width, hidden, c.attention_qkv_bias));
    OCELLUS_ASSIGN_OR_RETURN(
        layer.v, loader.linear(name + "self_attn.v_proj", kv_width, hidden, c.attention_qkv_bias));
    OCELLUS_ASSIGN_OR_RETURN(layer.o, loader.linear(name + "self_attn.o_proj", hidden, q_width,
                                                    c.attention_output_bias));
    OCELLUS_ASSIGN_OR_RETURN(
        layer.gate, loader.linear(name + "mlp.gate_proj", c.intermediate_size, hidden, c.mlp_bias));
    OCELLUS_ASSIGN_OR_RETURN(
        layer.up, loader.linear(name + "mlp.up_proj", c.intermediate_size, hidden, c.mlp_bias));
    OCELLUS_ASSIGN_OR_RETURN(
        layer.down, loader.linear(name + "mlp.down_proj", hidden, c.intermediate_size, c.mlp_bias));
    decoder.layers_.push_back(std::move(layer));
  }
  OCELLUS_ASSIGN_OR_RETURN(decoder.norm_, loader.norm("language.norm", hidden, false));
  if (!c.tie_word_embeddings) {
    OCELLUS_ASSIGN_OR_RETURN(decoder.head_, loader.matrix("lm_head.weight", {c.vocab_size, hidden},
                                                          c.vocab_size, hidden));
  }
  decoder.rope_ = std::make_unique<Rope>(c.rope, c.head_dim);
  return decoder;
}

compute::KvGeometry Decoder::kv_geometry(tensor::DType dtype) const {
  compute::KvGeometry geometry;
  geometry.layers = config_.layers;
  geometry.kv_heads = config_.kv_heads;
  geometry.head_dim = config_.head_dim;
  geometry.dtype = dtype;
  return geometry;
}

Status Decoder::embed(const compute::Backend& backend, std::span<const std::int32_t> ids,
                      compute::Matrix out) const {
  return backend.embed(*embeddings_, ids, out);
}

Status Decoder::run_attention(std::int64_t index, const compute::Backend& backend,
                              const compute::KvGeometry& geometry,
                              std::span<const compute::SequenceRows> sequences,
                              std::int64_t decode_rows, compute::ConstMatrix cos,
                              compute::ConstMatrix sin, Scratch& scratch,
                              compute::Workspace& workspace, compute::Matrix x) const {
  const Layer& layer = layers_[static_cast<std::size_t>(index)];
  const formats::LanguageConfig& c = config_;
  const compute::AttentionShape shape{
      c.heads,          c.kv_heads, c.head_dim, 1.0f / std::sqrt(static_cast<float>(c.head_dim)),
      c.sliding_window, arithmetic_};
  const std::int64_t q_width = c.heads * c.head_dim, kv_width = c.kv_heads * c.head_dim;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix narrow,
                           scratch.narrow.shape(x.rows, std::max(x.cols, q_width)));
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix wide,
                           scratch.wide.shape(x.rows, q_width + 2 * kv_width));
  const compute::Matrix normed = narrow.slice_cols(0, x.cols),
                        attended = narrow.slice_cols(0, q_width), q = wide.slice_cols(0, q_width),
                        k = wide.slice_cols(q_width, kv_width),
                        v = wide.slice_cols(q_width + kv_width, kv_width);
  OCELLUS_RETURN_IF_ERROR(backend.rms_norm(x, layer.attention_norm.weight.data(),
                                           static_cast<float>(c.rms_norm_eps), normed));
  const compute::LinearCall projections[] = {layer.q.call(q), layer.k.call(k), layer.v.call(v)};
  OCELLUS_RETURN_IF_ERROR(backend.linear(normed, decode_rows, projections, workspace));
  OCELLUS_RETURN_IF_ERROR(backend.rope(q, c.heads, c.head_dim, cos, sin));
  OCELLUS_RETURN_IF_ERROR(backend.rope(k, c.kv_heads, c.head_dim, cos, sin));
  OCELLUS_RETURN_IF_ERROR(backend.kv_store(geometry, index, sequences, k, v));
  OCELLUS_RETURN_IF_ERROR(
      backend.causal_attention(shape, geometry, index, sequences, q, attended, workspace));
  return backend.linear(*layer.o.weight, attended, layer.o.epilogue(compute::Activation::kNone, x),
                        x, workspace, decode_rows);
}

Status Decoder::run_mlp(const Layer& layer, const compute::Backend& backend,
                        std::int64_t decode_rows, Scratch& scratch, compute::Workspace& workspace,
                        compute::Matrix x) const {
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix normed, scratch.narrow.shape(x.rows, x.cols));
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix gated,
                           scratch.wide.shape(x.rows, config_.intermediate_size));
  OCELLUS_RETURN_IF_ERROR(backend.rms_norm(x, layer.mlp_norm.weight.data(),
                                           static_cast<float>(config_.rms_norm_eps), normed));
  compute::LinearCall both = layer.up.call(gated);
  both.epilogue.activation = config_.activation;
  both.gate = layer.gate.weight.get();
  both.gate_bias = layer.gate.bias.empty() ? nullptr : layer.gate.bias.data();
  OCELLUS_RETURN_IF_ERROR(backend.linear(normed, decode_rows, {&both, 1}, workspace));
  return backend.linear(*layer.down.weight, gated,
                        layer.down.epilogue(compute::Activation::kNone, x), x, workspace,
                        decode_rows);
}

Status Decoder::forward(const compute::Backend& backend, const compute::KvGeometry& geometry,
                        compute::Matrix inputs, std::span<const compute::SequenceRows> sequences,
                        std::span<const std::int64_t> wanted_rows, Scratch& scratch,
                        compute::Workspace& workspace, const StopCheck& stop,
                        compute::Matrix logits) const {
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix cos,
                           scratch.cos.shape(inputs.rows, rope_->half()));
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix sin,
                           scratch.sin.shape(inputs.rows, rope_->half()));
  std::int64_t decode_rows = 0;
  for (const compute::SequenceRows& sequence : sequences) {
    if (sequence.decode) decode_rows += sequence.rows;
    for (std::int64_t i = 0; i < sequence.rows; ++i) {
      rope_->fill(sequence.first_slot + i, cos.row(sequence.first_row + i),
                  sin.row(sequence.first_row + i));
    }
  }
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    if (stop && stop())
      return base::make_error(ErrorCode::kCancelled, "cancelled while the prompt was being read");
    OCELLUS_RETURN_IF_ERROR(run_attention(i, backend, geometry, sequences, decode_rows, cos, sin,
                                          scratch, workspace, inputs));
    OCELLUS_RETURN_IF_ERROR(run_mlp(layers_[static_cast<std::size_t>(i)], backend, decode_rows,
                                    scratch, workspace, inputs));
  }
  if (wanted_rows.empty()) return {};
  // Only the rows asked for go through the head, which is the largest matrix of all.
  OCELLUS_ASSIGN_OR_RETURN(
      const compute::Matrix last,
      scratch.last.shape(static_cast<std::int64_t>(wanted_rows.size()), config_.hidden_size));
  for (std::size_t i = 0; i < wanted_rows.size(); ++i) {
    std::copy_n(inputs.row(wanted_rows[i]), inputs.cols, last.row(static_cast<std::int64_t>(i)));
  }
  OCELLUS_RETURN_IF_ERROR(
      backend.rms_norm(last, norm_.weight.data(), static_cast<float>(config_.rms_norm_eps), last));
  // A prompt's last row is one among few: it takes the head's exact values as well.
  return backend.linear(head_ ? *head_ : *embeddings_, last, {}, logits, workspace, last.rows);
}

}  // namespace ocellus::models
