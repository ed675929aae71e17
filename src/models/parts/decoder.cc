#include "models/parts/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/result.h"

namespace ocellus::models {

namespace {

DeltaNetConfig delta_net_of(const DecoderConfig& c) {
  return {.shape = c.delta, .hidden_size = c.hidden_size, .gguf = !c.norms_from_one};
}

void add_norm(TableSection& section, const DecoderConfig& c, const char* name, const char* gguf,
              std::int64_t size) {
  section.norm(name, gguf, size, false);
  if (c.norms_from_one) section.last().gguf_values = GgufValues::kPlusOne;
}

void add_attention_tensors(TableSection& layer, const DecoderConfig& c) {
  using enum TensorRole;
  const std::int64_t hidden = c.hidden_size;
  const bool permuted = gguf_permutes_rope(c.gguf_architecture);
  if (c.output_gate) {
    layer.gated_linear("self_attn.q_proj", "attn_q", 2 * c.q_size(), hidden, c.qkv_bias, c.heads);
  } else {
    layer.linear("self_attn.q_proj", "attn_q", c.q_size(), hidden, kLayerMatrix, c.qkv_bias,
                 permuted ? c.heads : 0);
  }
  layer.linear("self_attn.k_proj", "attn_k", c.kv_size(), hidden, kLayerMatrix, c.qkv_bias,
               permuted ? c.kv_heads : 0);
  layer.linear("self_attn.v_proj", "attn_v", c.kv_size(), hidden, kLayerMatrix, c.qkv_bias);
  if (c.qk_norm) {
    add_norm(layer, c, "self_attn.q_norm", "attn_q_norm", c.head_dim);
    add_norm(layer, c, "self_attn.k_norm", "attn_k_norm", c.head_dim);
  }
  layer.linear("self_attn.o_proj", "attn_output", hidden, c.q_size(), kLayerMatrix, c.output_bias);
}

}  // namespace

void add_decoder_tensors(TensorTable& table, const DecoderConfig& c) {
  using enum TensorRole;
  const std::int64_t hidden = c.hidden_size, inner = c.intermediate_size;
  TableSection whole(table, Part::kLanguage, "language.", "");
  // Where it is the head as well, all of it is read for every token.
  whole.add("embed_tokens.weight", "token_embd.weight", {c.vocab_size, hidden},
            c.tie_word_embeddings ? kHead : kTokenEmbedding);
  // In GGUF files only: Llama 3.1's rope scaling.
  whole.add("rope_freqs.weight", "rope_freqs.weight", {c.rope.rotated_dims / 2}, kVector, 0, true);
  for (std::int64_t i = 0; i < c.layers; ++i) {
    TableSection layer(table, Part::kLanguage, fmt::format("language.layers.{}.", i),
                       fmt::format("blk.{}.", i));
    add_norm(layer, c, "input_layernorm", "attn_norm", hidden);
    if (c.is_linear(i)) {
      add_delta_net_tensors(layer, delta_net_of(c));
    } else {
      add_attention_tensors(layer, c);
    }
    add_norm(layer, c, "post_attention_layernorm",
             c.linear_layers.empty() ? "ffn_norm" : "post_attention_norm", hidden);
    layer.linear("mlp.gate_proj", "ffn_gate", inner, hidden, kLayerMatrix, c.mlp_bias);
    layer.linear("mlp.up_proj", "ffn_up", inner, hidden, kLayerMatrix, c.mlp_bias);
    layer.linear("mlp.down_proj", "ffn_down", hidden, inner, kLayerMatrix, c.mlp_bias);
  }
  add_norm(whole, c, "norm", "output_norm", hidden);
  if (c.tie_word_embeddings) return;
  TableSection(table, Part::kLanguage, "", "")
      .add("lm_head.weight", "output.weight", {c.vocab_size, hidden}, kHead);
}

namespace {

void multiply(compute::Matrix x, float scale) {
  for (std::int64_t row = 0; row < x.rows; ++row)
    std::transform(x.row(row), x.row(row) + x.cols, x.row(row), [=](float v) { return v * scale; });
}

// kBadModel for divisors that are no divisors.
Result<std::vector<float>> load_rope_divisors(const WeightLoader& loader) {
  constexpr const char* kName = "language.rope_freqs.weight";
  if (!loader.has(kName)) return std::vector<float>();
  OCELLUS_ASSIGN_OR_RETURN(std::vector<float> divisors, loader.vector(kName));
  if (std::ranges::all_of(divisors, [](float d) { return d > 0; })) return divisors;
  return base::make_error(ErrorCode::kBadModel, "rope_freqs.weight: expected positive numbers");
}

}  // namespace

Result<std::unique_ptr<Decoder>> Decoder::load(const DecoderConfig& config,
                                               const WeightLoader& loader) {
  auto loaded = std::make_unique<Decoder>();
  Decoder& decoder = *loaded;
  decoder.config_ = config;
  decoder.backend_ = &loader.backend();
  decoder.facts_ = {.vocab_size = config.vocab_size,
                    .hidden_size = config.hidden_size,
                    .layers = config.layers,
                    .max_position = config.max_position,
                    .arithmetic = loader.arithmetic(),
                    .state_bytes = static_cast<std::size_t>(config.state_bytes())};
  OCELLUS_ASSIGN_OR_RETURN(decoder.embeddings_, loader.matrix("language.embed_tokens.weight"));
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<float> divisors, load_rope_divisors(loader));
  decoder.rope_ = std::make_unique<Rope>(config.rope, divisors);
  std::int64_t attention = 0, delta = 0;
  for (std::int64_t i = 0; i < config.layers; ++i) {
    OCELLUS_ASSIGN_OR_RETURN(Layer layer, decoder.load_layer(i, loader));
    layer.index = layer.delta ? delta++ : attention++;
    decoder.layers_.push_back(std::move(layer));
  }
  OCELLUS_ASSIGN_OR_RETURN(decoder.norm_, decoder.load_norm("language.norm", loader));
  if (!config.tie_word_embeddings) {
    OCELLUS_ASSIGN_OR_RETURN(decoder.head_, loader.matrix("lm_head.weight"));
  }
  return loaded;
}

Result<Norm> Decoder::load_norm(const std::string& name, const WeightLoader& loader) const {
  OCELLUS_ASSIGN_OR_RETURN(Norm norm, loader.norm(name));
  if (config_.norms_from_one)
    for (float& weight : norm.weight) weight += 1;
  return norm;
}

Result<Decoder::Layer> Decoder::load_layer(std::int64_t index, const WeightLoader& loader) const {
  const std::string name = fmt::format("language.layers.{}.", index);
  Layer layer;
  OCELLUS_ASSIGN_OR_RETURN(layer.attention_norm, load_norm(name + "input_layernorm", loader));
  OCELLUS_ASSIGN_OR_RETURN(layer.mlp_norm, load_norm(name + "post_attention_layernorm", loader));
  if (config_.is_linear(index)) {
    OCELLUS_ASSIGN_OR_RETURN(layer.delta, DeltaNet::load(delta_net_of(config_), loader, name));
  } else {
    OCELLUS_ASSIGN_OR_RETURN(layer.q, loader.linear(name + "self_attn.q_proj"));
    OCELLUS_ASSIGN_OR_RETURN(layer.k, loader.linear(name + "self_attn.k_proj"));
    OCELLUS_ASSIGN_OR_RETURN(layer.v, loader.linear(name + "self_attn.v_proj"));
    if (config_.qk_norm) {
      OCELLUS_ASSIGN_OR_RETURN(layer.q_norm, load_norm(name + "self_attn.q_norm", loader));
      OCELLUS_ASSIGN_OR_RETURN(layer.k_norm, load_norm(name + "self_attn.k_norm", loader));
    }
    OCELLUS_ASSIGN_OR_RETURN(layer.o, loader.linear(name + "self_attn.o_proj"));
  }
  OCELLUS_ASSIGN_OR_RETURN(layer.gate, loader.linear(name + "mlp.gate_proj"));
  OCELLUS_ASSIGN_OR_RETURN(layer.up, loader.linear(name + "mlp.up_proj"));
  OCELLUS_ASSIGN_OR_RETURN(layer.down, loader.linear(name + "mlp.down_proj"));
  return layer;
}

compute::KvGeometry Decoder::kv_geometry(tensor::DType dtype) const {
  compute::KvGeometry geometry;
  geometry.layers = std::max<std::int64_t>(1, config_.layers - config_.linear_count());
  geometry.kv_heads = config_.kv_heads;
  geometry.head_dim = config_.head_dim;
  geometry.dtype = dtype;
  return geometry;
}

// What is not alive at the same time shares a buffer, so that more of it stays in the cache: a
// layer's norms and what it attended to; its q, k and v and its gated rows. cos and sin live for a
// whole step.
struct Decoder::Scratch final : LanguageModel::Scratch {
  MatrixBuffer narrow, wide, added, cos_buffer, sin_buffer, last;
  compute::Matrix cos, sin;  // [rows, rope half]
  std::vector<compute::SequenceRows> sequences;
  std::int64_t decode_rows = 0;
  std::unique_ptr<compute::Workspace> workspace;
};

std::unique_ptr<LanguageModel::Scratch> Decoder::make_scratch() const {
  auto scratch = std::make_unique<Scratch>();
  scratch->workspace = backend_->make_workspace();
  return scratch;
}

Status Decoder::embed(std::span<const std::int32_t> ids, compute::Matrix out) const {
  return backend_->embed(*embeddings_, ids, out);
}

Status Decoder::begin(const Step& step, LanguageModel::Scratch& buffers) const {
  auto& scratch = static_cast<Scratch&>(buffers);
  OCELLUS_ASSIGN_OR_RETURN(scratch.cos, scratch.cos_buffer.shape(step.x.rows, rope_->half()));
  OCELLUS_ASSIGN_OR_RETURN(scratch.sin, scratch.sin_buffer.shape(step.x.rows, rope_->half()));
  if (config_.embedding_scale != 1) multiply(step.x, static_cast<float>(config_.embedding_scale));
  scratch.sequences.clear();
  scratch.decode_rows = 0;
  for (const StepRows& rows : step.sequences) {
    scratch.sequences.push_back(rows.cache);
    if (rows.cache.decode) scratch.decode_rows += rows.cache.rows;
    for (std::int64_t i = 0; i < rows.cache.rows; ++i) {
      const std::int64_t row = rows.cache.first_row + i;
      rope_->fill(rows.positions[static_cast<std::size_t>(i)], scratch.cos.row(row),
                  scratch.sin.row(row));
    }
  }
  return {};
}

Status Decoder::run_delta_net(const Layer& layer, const Step& step, Scratch& scratch) const {
  const compute::Matrix x = step.x;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix normed, scratch.narrow.shape(x.rows, x.cols));
  OCELLUS_RETURN_IF_ERROR(backend_->rms_norm(x, layer.attention_norm.weight.data(),
                                             static_cast<float>(config_.rms_norm_eps), normed));
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix out,
                           layer.delta->run(*backend_, normed, scratch.decode_rows, step.sequences,
                                            layer.index * config_.delta.state_values(),
                                            scratch.wide, *scratch.workspace));
  return add_to(x, layer.delta->out(), out, scratch);
}

Status Decoder::run_attention(const Layer& layer, const Step& step, Scratch& scratch) const {
  const DecoderConfig& c = config_;
  const compute::Matrix x = step.x;
  const float scale = c.attention_scale > 0 ? static_cast<float>(c.attention_scale)
                                            : 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  const compute::AttentionShape shape{c.heads, c.kv_heads,       c.head_dim,
                                      scale,   c.sliding_window, facts_.arithmetic};
  const std::int64_t q_width = c.heads * c.head_dim, kv_width = c.kv_heads * c.head_dim;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix narrow,
                           scratch.narrow.shape(x.rows, std::max(x.cols, q_width)));
  const std::int64_t q_cols = c.output_gate ? 2 * q_width : q_width;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix wide,
                           scratch.wide.shape(x.rows, q_cols + 2 * kv_width));
  const compute::Matrix normed = narrow.slice_cols(0, x.cols),
                        attended = narrow.slice_cols(0, q_width), q = wide.slice_cols(0, q_width),
                        gates = wide.slice_cols(q_cols - q_width, q_width),
                        k = wide.slice_cols(q_cols, kv_width),
                        v = wide.slice_cols(q_cols + kv_width, kv_width);
  OCELLUS_RETURN_IF_ERROR(backend_->rms_norm(x, layer.attention_norm.weight.data(),
                                             static_cast<float>(c.rms_norm_eps), normed));
  const compute::LinearCall projections[] = {layer.q.call(wide.slice_cols(0, q_cols)),
                                             layer.k.call(k), layer.v.call(v)};
  OCELLUS_RETURN_IF_ERROR(
      backend_->linear(normed, scratch.decode_rows, projections, *scratch.workspace));
  if (c.qk_norm) {
    OCELLUS_RETURN_IF_ERROR(norm_heads(q, layer.q_norm));
    OCELLUS_RETURN_IF_ERROR(norm_heads(k, layer.k_norm));
  }
  OCELLUS_RETURN_IF_ERROR(backend_->rope(q, c.heads, c.head_dim, scratch.cos, scratch.sin));
  OCELLUS_RETURN_IF_ERROR(backend_->rope(k, c.kv_heads, c.head_dim, scratch.cos, scratch.sin));
  const compute::KvLayer cache{step.geometry, layer.index};
  OCELLUS_RETURN_IF_ERROR(backend_->kv_store(cache, scratch.sequences, k, v));
  OCELLUS_RETURN_IF_ERROR(
      backend_->causal_attention(shape, cache, scratch.sequences, q, attended, *scratch.workspace));
  if (c.output_gate) OCELLUS_RETURN_IF_ERROR(backend_->gate(attended, gates));
  return add_to(x, layer.o, attended, scratch);
}

Status Decoder::norm_heads(compute::Matrix x, const Norm& norm) const {
  const std::int64_t width = config_.head_dim, heads = x.cols / width;
  const auto normalise = [&](compute::Matrix values) {
    return backend_->rms_norm(values, norm.weight.data(), static_cast<float>(config_.rms_norm_eps),
                              values);
  };
  // As few calls as there can be: all heads of a row, or one head of all rows.
  if (x.rows < heads) {
    for (std::int64_t row = 0; row < x.rows; ++row)
      OCELLUS_RETURN_IF_ERROR(normalise({x.row(row), heads, width, width}));
    return {};
  }
  for (std::int64_t first = 0; first < x.cols; first += width)
    OCELLUS_RETURN_IF_ERROR(normalise(x.slice_cols(first, width)));
  return {};
}

Status Decoder::run_mlp(const Layer& layer, const Step& step, Scratch& scratch) const {
  const compute::Matrix x = step.x;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix normed, scratch.narrow.shape(x.rows, x.cols));
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix gated,
                           scratch.wide.shape(x.rows, config_.intermediate_size));
  OCELLUS_RETURN_IF_ERROR(backend_->rms_norm(x, layer.mlp_norm.weight.data(),
                                             static_cast<float>(config_.rms_norm_eps), normed));
  compute::LinearCall both = layer.up.call(gated);
  both.epilogue.activation = config_.activation;
  both.gate = layer.gate.weight.get();
  both.gate_bias = layer.gate.bias.empty() ? nullptr : layer.gate.bias.data();
  OCELLUS_RETURN_IF_ERROR(
      backend_->linear(normed, scratch.decode_rows, {&both, 1}, *scratch.workspace));
  return add_to(x, layer.down, gated, scratch);
}

Status Decoder::add_to(compute::Matrix x, const Linear& linear, compute::ConstMatrix input,
                       Scratch& scratch) const {
  if (config_.residual_scale == 1) {
    return backend_->linear(*linear.weight, input, linear.epilogue(compute::Activation::kNone, x),
                            x, *scratch.workspace, scratch.decode_rows);
  }
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix added, scratch.added.shape(x.rows, x.cols));
  OCELLUS_RETURN_IF_ERROR(backend_->linear(*linear.weight, input, linear.epilogue(), added,
                                           *scratch.workspace, scratch.decode_rows));
  const auto scale = static_cast<float>(config_.residual_scale);
  for (std::int64_t row = 0; row < x.rows; ++row) {
    float* const to = x.row(row);
    const float* const from = added.row(row);
    for (std::int64_t i = 0; i < x.cols; ++i) to[i] += from[i] * scale;
  }
  return {};
}

Status Decoder::run_layer(std::int64_t index, const Step& step,
                          LanguageModel::Scratch& buffers) const {
  auto& scratch = static_cast<Scratch&>(buffers);
  const Layer& layer = layers_[static_cast<std::size_t>(index)];
  OCELLUS_RETURN_IF_ERROR(layer.delta ? run_delta_net(layer, step, scratch)
                                      : run_attention(layer, step, scratch));
  OCELLUS_RETURN_IF_ERROR(run_mlp(layer, step, scratch));
  for (const InnerRows& inner : step.inner) {
    if (inner.layer != index) continue;
    for (std::int64_t i = 0; i < inner.rows.rows; ++i) {
      float* const to = step.x.row(inner.first_row + i);
      std::transform(to, to + step.x.cols, inner.rows.row(i), to, std::plus<>());
    }
  }
  return {};
}

Status Decoder::head(const Step& step, LanguageModel::Scratch& buffers,
                     compute::Matrix logits) const {
  if (step.logit_rows.empty()) return {};
  auto& scratch = static_cast<Scratch&>(buffers);
  // Only the rows asked for go through the head, which is the largest matrix of all.
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix last,
                           scratch.last.shape(std::ssize(step.logit_rows), config_.hidden_size));
  for (std::int64_t i = 0; i < last.rows; ++i) {
    const std::int64_t row = step.logit_rows[static_cast<std::size_t>(i)];
    std::copy_n(step.x.row(row), step.x.cols, last.row(i));
  }
  OCELLUS_RETURN_IF_ERROR(backend_->rms_norm(last, norm_.weight.data(),
                                             static_cast<float>(config_.rms_norm_eps), last));
  // A prompt's last row is one among few: it takes the head's exact values as well.
  return backend_->linear(head_ ? *head_ : *embeddings_, last, {}, logits, *scratch.workspace,
                          last.rows);
}

}  // namespace ocellus::models
