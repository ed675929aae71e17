#include <fmt/ranges.h>

#include <algorithm>

#include "base/result.h"
#include "formats/limits.h"
#include "models/parts/decoder_config.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::GgufMetadata;

struct Architecture {
  std::string_view name;
  bool permutes_rope = false;  // its converter does
  bool has_scales = false;     // Granite's multipliers
  bool qk_norm = false;
  bool has_sections = false;  // M-RoPE
  bool has_delta_net = false;
};
constexpr Architecture kArchitectures[] = {
    {.name = "llama", .permutes_rope = true},
    {.name = "qwen2"},
    {.name = "qwen3", .qk_norm = true},
    {.name = "qwen2vl", .has_sections = true},
    {.name = "qwen3vl", .qk_norm = true, .has_sections = true},
    {.name = "qwen35", .qk_norm = true, .has_sections = true, .has_delta_net = true},
    {.name = "granite", .permutes_rope = true, .has_scales = true}};

constexpr const char* kEosKeys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                    "tokenizer.ggml.eom_token_id"};

Result<const Architecture*> architecture_of(const GgufMetadata& file) {
  OCELLUS_ASSIGN_OR_RETURN(const std::string name, file.text("general.architecture"));
  const auto* const found = std::ranges::find(kArchitectures, name, &Architecture::name);
  if (found != std::end(kArchitectures)) return found;
  std::vector<std::string_view> known;
  for (const Architecture& each : kArchitectures) known.push_back(each.name);
  return make_error(ErrorCode::kUnsupported, "{}: general.architecture: expected {}, found \"{}\"",
                    file.file(), fmt::join(known, ", "), name);
}

Status check_positive(const GgufMetadata& file, const std::string& key, double value) {
  if (value > 0) return {};
  return make_error(ErrorCode::kBadModel, "{}: {}: expected more than 0, found {}", file.file(),
                    key, value);
}

Result<RopeConfig> read_rope(const GgufMetadata& file, const std::string& arch,
                             std::int64_t head_dim) {
  RopeConfig rope;
  OCELLUS_ASSIGN_OR_RETURN(rope.theta, file.number_or(arch + ".rope.freq_base", 10000.0));
  OCELLUS_RETURN_IF_ERROR(check_positive(file, arch + ".rope.freq_base", rope.theta));
  OCELLUS_ASSIGN_OR_RETURN(rope.rotated_dims,
                           file.integer_or(arch + ".rope.dimension_count", head_dim, 2, head_dim));
  OCELLUS_ASSIGN_OR_RETURN(const std::string scaling,
                           file.text_or(arch + ".rope.scaling.type", "none"));
  if (scaling == "linear") {
    rope.scaling = RopeConfig::Scaling::kLinear;
    OCELLUS_ASSIGN_OR_RETURN(rope.factor, file.number_or(arch + ".rope.scaling.factor", 1.0));
    OCELLUS_RETURN_IF_ERROR(check_positive(file, arch + ".rope.scaling.factor", rope.factor));
  } else if (scaling != "none") {
    return make_error(ErrorCode::kUnsupported,
                      "{}: {}.rope.scaling.type: expected none or linear, found \"{}\"",
                      file.file(), arch, scaling);
  }
  return rope;
}

// Four counts of dimension pairs, for time, height, width and nothing.
Status read_sections(const GgufMetadata& file, const Architecture& architecture, RopeConfig& rope) {
  const std::string key = std::string(architecture.name) + ".rope.dimension_sections";
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<double> found, file.numbers(key));
  double sum = 0;
  for (const double count : found) sum += count;
  const bool good = found.size() >= 3 && sum == static_cast<double>(rope.rotated_dims / 2) &&
                    std::ranges::all_of(found, [](double n) { return n >= 0; }) &&
                    std::all_of(found.begin() + 3, found.end(), [](double n) { return n == 0; });
  if (!good) {
    return make_error(ErrorCode::kBadModel,
                      "{}: {}: expected three numbers with the sum {}, half of the head's size, "
                      "found {}",
                      file.file(), key, rope.rotated_dims / 2, fmt::join(found, ", "));
  }
  for (int i = 0; i < 3; ++i) rope.sections.push_back(static_cast<std::int64_t>(found[i]));
  rope.interleaved = architecture.qk_norm;
  return {};
}

// Sizes of states by the keys of state space models; layers by the interval, of which the last is
// one of attention.
Status read_delta_net(const GgufMetadata& file, const std::string& arch, DecoderConfig& c) {
  const auto integer = [&](const char* key, std::int64_t min, std::int64_t max) {
    return file.integer(arch + key, min, max);
  };
  compute::DeltaNetShape& s = c.delta;
  OCELLUS_ASSIGN_OR_RETURN(s.kernel, integer(".ssm.conv_kernel", 2, 8));
  OCELLUS_ASSIGN_OR_RETURN(s.k_dim, integer(".ssm.state_size", 1, formats::kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(s.k_heads, integer(".ssm.group_count", 1, formats::kMaxHeads));
  OCELLUS_ASSIGN_OR_RETURN(s.v_heads, integer(".ssm.time_step_rank", 1, formats::kMaxHeads));
  OCELLUS_ASSIGN_OR_RETURN(const std::int64_t inner,
                           integer(".ssm.inner_size", 1, formats::kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(
      const std::int64_t interval,
      file.integer_or(arch + ".full_attention_interval", 4, 1, formats::kMaxLayers));
  s.v_dim = inner / s.v_heads;
  if (inner % s.v_heads != 0 || s.v_heads % s.k_heads != 0 || s.k_size() > formats::kMaxHidden) {
    return make_error(ErrorCode::kBadModel,
                      "{}: {}.ssm: expected value heads that are a multiple of the key heads and "
                      "divide the inner size, found {}, {} and {}",
                      file.file(), arch, s.v_heads, s.k_heads, inner);
  }
  s.eps = static_cast<float>(c.rms_norm_eps);
  s.tiled_heads = true;
  c.output_gate = true;
  for (std::int64_t i = 0; i < c.layers; ++i) c.linear_layers.push_back((i + 1) % interval != 0);
  return {};
}

Status read_scales(const GgufMetadata& file, const std::string& arch, DecoderConfig& c) {
  for (const auto& [key, value] : {std::pair{".embedding_scale", &c.embedding_scale},
                                   {".residual_scale", &c.residual_scale},
                                   {".logit_scale", &c.logits_divisor},
                                   {".attention.scale", &c.attention_scale}}) {
    OCELLUS_ASSIGN_OR_RETURN(*value, file.number_or(arch + key, 1.0));
    OCELLUS_RETURN_IF_ERROR(check_positive(file, arch + key, *value));
  }
  return {};
}

Status check_experts(const GgufMetadata& file, const std::string& key) {
  OCELLUS_ASSIGN_OR_RETURN(const std::int64_t experts, file.integer_or(key, 0, 0, 4096));
  if (experts == 0) return {};
  return make_error(ErrorCode::kUnsupported,
                    "{}: {}: expected none or 0, found {}: mixtures of experts are not built in",
                    file.file(), key, experts);
}

}  // namespace

Result<DecoderConfig> read_decoder_gguf(const GgufSource& source) {
  using formats::kMaxHeads, formats::kMaxHidden, formats::kMaxPosition;
  const GgufMetadata& file = source.metadata;
  OCELLUS_ASSIGN_OR_RETURN(const Architecture* const architecture, architecture_of(file));
  const std::string arch(architecture->name);
  DecoderConfig c;
  c.name = c.gguf_architecture = arch;
  const auto integer = [&](const char* key, std::int64_t max) {
    return file.integer(arch + key, 1, max);
  };
  OCELLUS_ASSIGN_OR_RETURN(c.hidden_size, integer(".embedding_length", kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(c.layers, integer(".block_count", formats::kMaxLayers));
  OCELLUS_ASSIGN_OR_RETURN(c.intermediate_size, integer(".feed_forward_length", 8 * kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(c.heads, integer(".attention.head_count", kMaxHeads));
  OCELLUS_ASSIGN_OR_RETURN(
      c.kv_heads, file.integer_or(arch + ".attention.head_count_kv", c.heads, 1, kMaxHeads));
  OCELLUS_ASSIGN_OR_RETURN(c.max_position, integer(".context_length", kMaxPosition));
  if (c.heads % c.kv_heads != 0 ||
      (!file.has(arch + ".attention.key_length") && c.hidden_size % c.heads != 0)) {
    return make_error(ErrorCode::kBadModel,
                      "{}: {}.attention: expected heads that are a multiple of the key-value heads "
                      "and divide the width, found {}, {} and {}",
                      file.file(), arch, c.heads, c.kv_heads, c.hidden_size);
  }
  OCELLUS_ASSIGN_OR_RETURN(c.head_dim, file.integer_or(arch + ".attention.key_length",
                                                       c.hidden_size / c.heads, 2, kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(
      const std::int64_t value_length,
      file.integer_or(arch + ".attention.value_length", c.head_dim, 2, kMaxHidden));
  if (value_length != c.head_dim || c.head_dim % 2 != 0 || c.q_size() > kMaxHidden) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: {}.attention.key_length: expected an even number as value_length, at "
                      "most {} for all heads, found {} and {}",
                      file.file(), arch, kMaxHidden, c.head_dim, value_length);
  }
  const std::string eps = arch + ".attention.layer_norm_rms_epsilon";
  OCELLUS_ASSIGN_OR_RETURN(c.rms_norm_eps, file.number_or(eps, 1e-5));
  OCELLUS_RETURN_IF_ERROR(check_positive(file, eps, c.rms_norm_eps));
  OCELLUS_ASSIGN_OR_RETURN(c.sliding_window,
                           file.integer_or(arch + ".attention.sliding_window", 0, 0, kMaxPosition));
  OCELLUS_RETURN_IF_ERROR(check_experts(file, arch + ".expert_count"));
  if (architecture->has_scales) OCELLUS_RETURN_IF_ERROR(read_scales(file, arch, c));
  // What no key says: the tensors that are there.
  c.vocab_size = source.rows("token_embd.weight");
  if (c.vocab_size < 1 || c.vocab_size > formats::kMaxVocabulary) {
    return make_error(ErrorCode::kBadModel,
                      "{}: token_embd.weight: expected 1 to {} rows, found {}", file.file(),
                      formats::kMaxVocabulary, c.vocab_size);
  }
  c.tie_word_embeddings = !source.has("output.weight");
  c.qkv_bias = source.has("blk.0.attn_q.bias");
  c.output_bias = source.has("blk.0.attn_output.bias");
  c.mlp_bias = source.has("blk.0.ffn_down.bias");
  c.qk_norm = architecture->qk_norm;
  if (architecture->has_delta_net) {
    // Layers that predict several tokens at once stand behind the others.
    OCELLUS_ASSIGN_OR_RETURN(const std::int64_t more,
                             file.integer_or(arch + ".nextn_predict_layers", 0, 0, c.layers - 1));
    c.layers -= more;
    OCELLUS_RETURN_IF_ERROR(read_delta_net(file, arch, c));
  }
  OCELLUS_ASSIGN_OR_RETURN(c.rope, read_rope(file, arch, c.head_dim));
  if (architecture->has_sections)
    OCELLUS_RETURN_IF_ERROR(read_sections(file, *architecture, c.rope));
  return c;
}

Result<TokenIds> read_token_ids_gguf(const GgufSource& source, std::int64_t vocab_size) {
  const GgufMetadata& file = source.metadata;
  TokenIds ids;
  for (const char* key : kEosKeys) {
    if (!file.has(key)) continue;
    OCELLUS_ASSIGN_OR_RETURN(const std::int64_t id, file.integer(key, 0, vocab_size - 1));
    if (std::ranges::find(ids.eos, id) == ids.eos.end()) ids.eos.push_back(id);
  }
  OCELLUS_ASSIGN_OR_RETURN(ids.bos,
                           file.integer_or("tokenizer.ggml.bos_token_id", -1, 0, vocab_size - 1));
  return ids;
}

bool gguf_permutes_rope(std::string_view architecture) {
  const auto* const found = std::ranges::find(kArchitectures, architecture, &Architecture::name);
  return found != std::end(kArchitectures) && found->permutes_rope;
}

namespace {

Status put_delta_net(formats::GgufWriter& w, const DecoderConfig& c, std::string_view file) {
  const auto full = std::ranges::find(c.linear_layers, false);
  const std::int64_t interval = full - c.linear_layers.begin() + 1;
  for (std::int64_t i = 0; i < c.layers; ++i) {
    const bool expected = (i + 1) % interval != 0;
    if (c.is_linear(i) == expected) continue;
    const auto name = [](bool linear) { return linear ? "linear_attention" : "full_attention"; };
    return make_error(ErrorCode::kUnsupported,
                      "{}: layer_types has a GGUF key only where every n-th layer is one of "
                      "attention: expected {} for layer {} (n is {}), found {}",
                      file, name(expected), i, interval, name(!expected));
  }
  const auto put = [&](const char* key, std::int64_t value) {
    w.put_u32(c.gguf_architecture + key, static_cast<std::uint32_t>(value));
  };
  put(".ssm.conv_kernel", c.delta.kernel);
  put(".ssm.state_size", c.delta.k_dim);
  put(".ssm.group_count", c.delta.k_heads);
  put(".ssm.time_step_rank", c.delta.v_heads);
  put(".ssm.inner_size", c.delta.v_size());
  put(".full_attention_interval", interval);
  return {};
}

}  // namespace

Status put_decoder_gguf(formats::GgufWriter& w, const DecoderConfig& c, std::string_view file) {
  const std::string& arch = c.gguf_architecture;
  const auto put = [&](const char* key, std::int64_t value) {
    w.put_u32(arch + key, static_cast<std::uint32_t>(value));
  };
  if (c.activation != tensor::Activation::kSilu) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: hidden_act of the language model has no GGUF key: expected silu, found "
                      "{}",
                      file, tensor::activation_name(c.activation));
  }
  put(".vocab_size", c.vocab_size);
  put(".context_length", c.max_position);
  put(".embedding_length", c.hidden_size);
  put(".block_count", c.layers);
  put(".feed_forward_length", c.intermediate_size);
  put(".attention.head_count", c.heads);
  put(".attention.head_count_kv", c.kv_heads);
  put(".attention.key_length", c.head_dim);
  put(".attention.value_length", c.head_dim);
  w.put_f32(arch + ".attention.layer_norm_rms_epsilon", static_cast<float>(c.rms_norm_eps));
  if (c.attention_scale > 0) {
    w.put_f32(arch + ".embedding_scale", static_cast<float>(c.embedding_scale));
    w.put_f32(arch + ".residual_scale", static_cast<float>(c.residual_scale));
    w.put_f32(arch + ".logit_scale", static_cast<float>(c.logits_divisor));
    w.put_f32(arch + ".attention.scale", static_cast<float>(c.attention_scale));
  }
  if (c.sliding_window > 0) put(".attention.sliding_window", c.sliding_window);
  put(".rope.dimension_count", c.rope.rotated_dims);
  w.put_f32(arch + ".rope.freq_base", static_cast<float>(c.rope.theta));
  if (!c.linear_layers.empty()) OCELLUS_RETURN_IF_ERROR(put_delta_net(w, c, file));
  if (!c.rope.sections.empty()) {
    std::vector<std::int32_t> sections(c.rope.sections.begin(), c.rope.sections.end());
    sections.push_back(0);
    w.put_i32s(arch + ".rope.dimension_sections", sections);
  }
  // Llama 3.1's scaling is a tensor, rope_freqs.weight.
  if (c.rope.scaling == RopeConfig::Scaling::kLinear) {
    w.put_text(arch + ".rope.scaling.type", "linear");
    w.put_f32(arch + ".rope.scaling.factor", static_cast<float>(c.rope.factor));
  }
  return {};
}

}  // namespace ocellus::models
