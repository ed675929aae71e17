#include "models/parts/decoder_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "formats/limits.h"
#include "models/parts/delta_net_config.h"

namespace ocellus::models {
namespace {

using formats::ConfigReader;
using tensor::Activation;

// What a model_type means: the defaults of its configuration class, and which keys the class has.
struct DecoderType {
  std::string_view model_type, gguf_architecture;
  std::int64_t vocab_size, intermediate_size;
  std::int64_t kv_heads;  // 0: as many as query heads
  std::int64_t max_position;
  std::int64_t sliding_window = 0;  // 0: the class has no window of all layers
  bool has_layer_windows = false;   // use_sliding_window: windows of some layers
  bool has_bias_keys = false;       // attention_bias and mlp_bias
  bool qkv_bias = false;            // always
  bool has_scales = false;          // Granite's multipliers
  std::int64_t bos = -1;            // -1: none
  std::int64_t eos = -1;            // likewise
  std::int64_t hidden_size = 4096, layers = 32, heads = 32;
  std::int64_t head_dim = 0;  // 0: hidden_size / heads
  double rms_norm_eps = 1e-6, rope_theta = 10000;
  bool qk_norm = false;
  std::array<std::int64_t, 3> sections = {};  // of M-RoPE; 0: none
  double rotated = 1;                         // share of a head's values
  bool has_delta_net = false;                 // and what comes with it
};

// Qwen2-VL's and 2.5-VL's text models have one class's defaults by four names.
constexpr DecoderType qwen2_vl(std::string_view model_type) {
  return {.model_type = model_type,
          .gguf_architecture = "qwen2vl",
          .vocab_size = 152064,
          .intermediate_size = 29568,
          .kv_heads = 8,
          .max_position = 32768,
          .has_layer_windows = true,
          .qkv_bias = true,
          .bos = 151643,
          .eos = 151645,
          .hidden_size = 8192,
          .layers = 80,
          .heads = 64,
          .rms_norm_eps = 1e-5,
          .rope_theta = 1e6,
          .sections = {16, 24, 24}};
}

constexpr DecoderType kTypes[] = {
    {.model_type = "llama",
     .gguf_architecture = "llama",
     .vocab_size = 32000,
     .intermediate_size = 11008,
     .kv_heads = 0,
     .max_position = 2048,
     .has_bias_keys = true,
     .bos = 1,
     .eos = 2},
    {.model_type = "mistral",
     .gguf_architecture = "llama",
     .vocab_size = 32000,
     .intermediate_size = 14336,
     .kv_heads = 8,
     .max_position = 131072,
     .sliding_window = 4096,
     .bos = 1,
     .eos = 2},
    {.model_type = "qwen2",
     .gguf_architecture = "qwen2",
     .vocab_size = 151936,
     .intermediate_size = 22016,
     .kv_heads = 32,
     .max_position = 32768,
     .has_layer_windows = true,
     .qkv_bias = true},
    {.model_type = "qwen3",
     .gguf_architecture = "qwen3",
     .vocab_size = 151936,
     .intermediate_size = 22016,
     .kv_heads = 32,
     .max_position = 32768,
     .has_layer_windows = true,
     .has_bias_keys = true,
     .head_dim = 128,
     .qk_norm = true},
    {.model_type = "granite",
     .gguf_architecture = "granite",
     .vocab_size = 32000,
     .intermediate_size = 11008,
     .kv_heads = 0,
     .max_position = 2048,
     .has_bias_keys = true,
     .has_scales = true,
     .bos = 1,
     .eos = 2},
    qwen2_vl("qwen2_vl"),
    qwen2_vl("qwen2_vl_text"),
    qwen2_vl("qwen2_5_vl"),
    qwen2_vl("qwen2_5_vl_text"),
    {.model_type = "qwen3_vl_text",
     .gguf_architecture = "qwen3vl",
     .vocab_size = 151936,
     .intermediate_size = 22016,
     .kv_heads = 32,
     .max_position = 128000,
     .has_bias_keys = true,
     .head_dim = 128,
     .rope_theta = 5e5,
     .qk_norm = true,
     .sections = {24, 20, 20}},
    {.model_type = "qwen3_5_text",
     .gguf_architecture = "qwen35",
     .vocab_size = 248320,
     .intermediate_size = 12288,
     .kv_heads = 4,
     .max_position = 32768,
     .has_bias_keys = true,
     .heads = 16,
     .head_dim = 256,
     .qk_norm = true,
     .sections = {11, 11, 10},
     .rotated = 0.25,
     .has_delta_net = true},
};

const DecoderType& type_of(ConfigReader& r, std::string_view default_type) {
  const std::string name = r.text("model_type", default_type);
  const auto* const found = std::ranges::find(kTypes, name, &DecoderType::model_type);
  if (found != std::end(kTypes)) return *found;
  std::vector<std::string_view> known;
  for (const DecoderType& type : kTypes) known.push_back(type.model_type);
  r.fail(ErrorCode::kUnsupported, fmt::format("{}: model_type: expected {}, found \"{}\"",
                                              r.where(), fmt::join(known, ", "), name));
  return kTypes[0];
}

RopeConfig read_rope(ConfigReader& r, const DecoderType& decoder, std::int64_t head_dim,
                     std::int64_t max_position) {
  RopeConfig rope;
  // transformers 4 has rope_theta beside rope_scaling, 5 has both in rope_parameters.
  ConfigReader scaling = r.child(r.has("rope_parameters") ? "rope_parameters" : "rope_scaling");
  rope.theta = scaling.positive("rope_theta", r.positive("rope_theta", decoder.rope_theta));
  const double rotated = scaling.positive("partial_rotary_factor",
                                          r.positive("partial_rotary_factor", decoder.rotated));
  const std::string type = scaling.text("rope_type", scaling.text("type", "default"));
  if (type == "linear") {
    rope.scaling = RopeConfig::Scaling::kLinear;
  } else if (type == "llama3") {
    rope.scaling = RopeConfig::Scaling::kLlama3;
  } else if (type != "default" && type != "dynamic" && type != "mrope") {
    // "dynamic" begins beyond max_position_embeddings, where no context goes.
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: rope_type: expected default, linear, llama3 or dynamic, found \"{}\"",
                       scaling.where(), type));
  }
  rope.factor = scaling.positive("factor", 1.0);
  rope.low_freq_factor = scaling.positive("low_freq_factor", 1.0);
  rope.high_freq_factor = scaling.positive("high_freq_factor", 4.0);
  rope.original_max_position =
      scaling.integer("original_max_position_embeddings", max_position, 1, formats::kMaxPosition);
  if (rotated > 1) {
    r.fail(
        ErrorCode::kBadModel,
        fmt::format("{}: partial_rotary_factor: expected at most 1, found {}", r.where(), rotated));
  }
  // As the reference computes it, int(head_dim * factor), whatever the product loses.
  rope.rotated_dims = static_cast<std::int64_t>(static_cast<double>(head_dim) * rotated);
  if (rope.scaling == RopeConfig::Scaling::kLlama3 &&
      rope.high_freq_factor <= rope.low_freq_factor) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: high_freq_factor: expected more than low_freq_factor {}, found {}",
                       scaling.where(), rope.low_freq_factor, rope.high_freq_factor));
  }
  if (decoder.sections[0] > 0) {
    const std::vector<std::int64_t> usual(decoder.sections.begin(), decoder.sections.end());
    rope.sections = scaling.integers("mrope_section", usual, 0, formats::kMaxHidden);
    rope.interleaved = decoder.qk_norm;  // whatever mrope_interleaved says, as in the reference
    const std::int64_t sum = std::accumulate(rope.sections.begin(), rope.sections.end(), 0L);
    if (rope.sections.size() != 3 || sum != rope.rotated_dims / 2) {
      scaling.fail(ErrorCode::kBadModel,
                   fmt::format("{}: mrope_section: expected three numbers with the sum {}, half of "
                               "the head's size, found {} with {}",
                               scaling.where(), rope.rotated_dims / 2, rope.sections.size(), sum));
    }
  }
  r.join(scaling);
  return rope;
}

void check_multiple(ConfigReader& r, std::string_view key, std::int64_t value,
                    std::string_view of_key, std::int64_t of) {
  if (value % of == 0) return;
  r.fail(ErrorCode::kBadModel, fmt::format("{}: {}: expected a multiple of {} {}, found {}",
                                           r.where(), key, of_key, of, value));
}

}  // namespace

bool has_own_head(const StoredTensors& tensors) {
  const auto ending = [&](std::string_view end) {
    return std::ranges::find_if(tensors, [&](const auto& t) { return t.first.ends_with(end); });
  };
  const auto head = ending("lm_head.weight"), embeddings = ending("embed_tokens.weight");
  if (head == tensors.end() || embeddings == tensors.end()) return head != tensors.end();
  return head->second.type != embeddings->second.type ||
         !std::ranges::equal(head->second.data, embeddings->second.data);
}

DecoderConfig read_decoder_config(ConfigReader& r, std::string_view default_type) {
  using formats::kMaxHeads, formats::kMaxHidden, formats::kMaxPosition;
  const DecoderType& type = type_of(r, default_type);
  DecoderConfig c;
  c.name = type.model_type;
  c.gguf_architecture = type.gguf_architecture;
  c.vocab_size = r.integer("vocab_size", type.vocab_size, 1, formats::kMaxVocabulary);
  c.hidden_size = r.integer("hidden_size", type.hidden_size, 1, kMaxHidden);
  c.intermediate_size = r.integer("intermediate_size", type.intermediate_size, 1, 8 * kMaxHidden);
  c.layers = r.integer("num_hidden_layers", type.layers, 1, formats::kMaxLayers);
  c.heads = r.integer("num_attention_heads", type.heads, 1, kMaxHeads);
  // Where the key is there but null, the classes take as many as query heads.
  const bool as_heads = type.kv_heads == 0 || r.is_null("num_key_value_heads");
  c.kv_heads = r.integer("num_key_value_heads", as_heads ? c.heads : type.kv_heads, 1, kMaxHeads);
  if (!r.has("head_dim") && type.head_dim == 0)
    check_multiple(r, "hidden_size", c.hidden_size, "num_attention_heads", c.heads);
  c.head_dim = r.integer("head_dim", type.head_dim > 0 ? type.head_dim : c.hidden_size / c.heads, 1,
                         kMaxHidden);
  c.max_position = r.integer("max_position_embeddings", type.max_position, 1, kMaxPosition);
  c.rms_norm_eps = r.positive("rms_norm_eps", type.rms_norm_eps);
  c.activation = r.activation("hidden_act", Activation::kSilu);
  c.rope = read_rope(r, type, c.head_dim, c.max_position);
  c.tie_word_embeddings = r.boolean("tie_word_embeddings", false);
  const bool attention_bias = type.has_bias_keys && r.boolean("attention_bias", false);
  c.qkv_bias = type.qkv_bias || attention_bias;
  c.output_bias = attention_bias;
  c.qk_norm = type.qk_norm;
  c.mlp_bias = type.has_bias_keys && r.boolean("mlp_bias", false);
  if (type.has_delta_net) {
    c.output_gate = c.norms_from_one = true;
    read_delta_net_config(r, c);
  }
  if (type.has_scales) {
    c.embedding_scale = r.positive("embedding_multiplier", 1);
    c.residual_scale = r.positive("residual_multiplier", 1);
    c.logits_divisor = r.positive("logits_scaling", 1);
    c.attention_scale = r.positive("attention_multiplier", 1);
  }
  if (type.sliding_window > 0 && !r.is_null("sliding_window"))
    c.sliding_window = r.integer("sliding_window", type.sliding_window, 1, kMaxPosition);
  if (type.has_layer_windows && r.boolean("use_sliding_window", false)) {
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: use_sliding_window: expected false, found true: windows of some layers "
                       "are not built in",
                       r.where()));
  }
  check_multiple(r, "num_attention_heads", c.heads, "num_key_value_heads", c.kv_heads);
  if (c.head_dim % 2 != 0 || c.q_size() > kMaxHidden) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: head_dim: expected an even number, {} for all heads, found {} for {}",
                       r.where(), kMaxHidden, c.head_dim, c.heads));
  }
  return c;
}

TokenIds read_token_ids(ConfigReader& r, std::string_view default_type) {
  const std::string name = r.text("model_type", default_type);
  const auto* type = std::ranges::find(kTypes, name, &DecoderType::model_type);
  if (type == std::end(kTypes)) type = kTypes;  // read_decoder_config() refuses it
  TokenIds ids;
  ids.bos = r.integer("bos_token_id", type->bos, -1, formats::kMaxVocabulary);
  ids.eos = r.integers("eos_token_id",
                       type->eos < 0 ? std::vector<std::int64_t>{} : std::vector{type->eos}, 0,
                       formats::kMaxVocabulary);
  return ids;
}

}  // namespace ocellus::models
