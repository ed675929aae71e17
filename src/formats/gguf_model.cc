#include "formats/gguf_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/result.h"
#include "formats/hf_config.h"

namespace ocellus::formats {
namespace {

using base::make_error;

std::int64_t rows_of(const GgufFile& file, std::string_view name) {
  const auto found = file.tensors().find(name);
  return found == file.tensors().end() || found->second.shape.rank() == 0 ? 0
                                                                          : found->second.shape[0];
}

bool has_tensor(const GgufFile& file, std::string_view name) {
  return file.tensors().contains(name);
}

Status read_rope(const GgufFile& file, const std::string& arch, LanguageConfig& language) {
  RopeConfig& rope = language.rope;
  OCELLUS_ASSIGN_OR_RETURN(rope.theta, file.number_or(arch + ".rope.freq_base", 10000.0));
  OCELLUS_ASSIGN_OR_RETURN(
      const std::int64_t dimensions,
      file.integer_or(arch + ".rope.dimension_count", language.head_dim, 2, language.head_dim));
  rope.partial_rotary_factor =
      static_cast<double>(dimensions) / static_cast<double>(language.head_dim);
  OCELLUS_ASSIGN_OR_RETURN(const std::string scaling,
                           file.text_or(arch + ".rope.scaling.type", "none"));
  if (scaling == "linear") {
    rope.scaling = RopeConfig::Scaling::kLinear;
    OCELLUS_ASSIGN_OR_RETURN(rope.factor, file.number_or(arch + ".rope.scaling.factor", 1.0));
  } else if (scaling != "none") {
    return make_error(ErrorCode::kUnsupported, "{}: {}.rope.scaling.type: \"{}\" is not known",
                      file.file(), arch, scaling);
  }
  // Llama 3.1's scaling is not a setting here but one divisor for each frequency.
  const auto factors = file.tensors().find("rope_freqs.weight");
  if (factors != file.tensors().end()) {
    OCELLUS_ASSIGN_OR_RETURN(const tensor::TensorView view,
                             factors->second.view("rope_freqs.weight"));
    if (view.dtype != tensor::DType::kF32 || view.shape != tensor::Shape{dimensions / 2}) {
      return make_error(ErrorCode::kBadModel,
                        "{}: rope_freqs.weight: expected f32 [{}], found {} {}", file.file(),
                        dimensions / 2, tensor::dtype_name(view.dtype), view.shape.to_string());
    }
    rope.divisors.resize(static_cast<std::size_t>(dimensions / 2));
    std::memcpy(rope.divisors.data(), view.data.data(), view.data.size());
    if (std::ranges::any_of(rope.divisors, [](float d) { return !(d > 0); })) {
      return make_error(ErrorCode::kBadModel, "{}: rope_freqs.weight: expected positive numbers",
                        file.file());
    }
  }
  if (!(rope.theta > 0) || !(rope.factor > 0)) {
    return make_error(ErrorCode::kBadModel, "{}: {}.rope: expected positive numbers", file.file(),
                      arch);
  }
  return {};
}

Status read_end_tokens(const GgufFile& file, LanguageConfig& language) {
  const std::int64_t last = language.vocab_size - 1;
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                          "tokenizer.ggml.eom_token_id"}) {
    if (!file.has(key)) continue;
    OCELLUS_ASSIGN_OR_RETURN(const std::int64_t id, file.integer(key, 0, last));
    if (std::ranges::find(language.eos_tokens, id) == language.eos_tokens.end())
      language.eos_tokens.push_back(id);
  }
  OCELLUS_ASSIGN_OR_RETURN(language.bos_token,
                           file.integer_or("tokenizer.ggml.bos_token_id", -1, 0, last));
  return {};
}

}  // namespace

Status read_gguf_language(const GgufFile& file, ModelConfig& config) {
  OCELLUS_ASSIGN_OR_RETURN(const std::string arch, file.text("general.architecture"));
  if (arch != "llama" && arch != "qwen2") {
    return make_error(ErrorCode::kUnsupported,
                      "{}: general.architecture: expected llama or qwen2, found \"{}\"{}",
                      file.file(), arch, arch == "clip" ? " (the tower; it goes to --mmproj)" : "");
  }
  LanguageConfig& l = config.language;
  l.kind = arch == "qwen2" ? LanguageKind::kQwen2 : LanguageKind::kLlama;
  const auto integer = [&](const char* key, std::int64_t max) {
    return file.integer(arch + key, 1, max);
  };
  OCELLUS_ASSIGN_OR_RETURN(l.hidden_size, integer(".embedding_length", kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(l.layers, integer(".block_count", kMaxLayers));
  OCELLUS_ASSIGN_OR_RETURN(l.intermediate_size, integer(".feed_forward_length", 8 * kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(l.heads, integer(".attention.head_count", kMaxHeads));
  OCELLUS_ASSIGN_OR_RETURN(
      l.kv_heads, file.integer_or(arch + ".attention.head_count_kv", l.heads, 1, kMaxHeads));
  OCELLUS_ASSIGN_OR_RETURN(l.max_position, integer(".context_length", std::int64_t{1} << 31));
  if (l.heads % l.kv_heads != 0 ||
      (!file.has(arch + ".attention.key_length") && l.hidden_size % l.heads != 0)) {
    return make_error(ErrorCode::kBadModel,
                      "{}: {} heads with {} key-value heads for a width of {} do not fit",
                      file.file(), l.heads, l.kv_heads, l.hidden_size);
  }
  OCELLUS_ASSIGN_OR_RETURN(l.head_dim, file.integer_or(arch + ".attention.key_length",
                                                       l.hidden_size / l.heads, 2, kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(
      const std::int64_t value_length,
      file.integer_or(arch + ".attention.value_length", l.head_dim, 2, kMaxHidden));
  if (value_length != l.head_dim || l.head_dim % 2 != 0 || l.heads * l.head_dim > kMaxHidden) {
    return make_error(ErrorCode::kUnsupported, "{}: {}.attention: heads of {} with values of {}",
                      file.file(), arch, l.head_dim, value_length);
  }
  OCELLUS_ASSIGN_OR_RETURN(l.rms_norm_eps,
                           file.number_or(arch + ".attention.layer_norm_rms_epsilon", 1e-5));
  if (!(l.rms_norm_eps > 0)) {
    return make_error(ErrorCode::kBadModel,
                      "{}: {}.attention.layer_norm_rms_epsilon: expected a positive number",
                      file.file(), arch);
  }
  OCELLUS_ASSIGN_OR_RETURN(l.sliding_window, file.integer_or(arch + ".attention.sliding_window", 0,
                                                             0, std::int64_t{1} << 31));
  if (file.has(arch + ".expert_count")) {
    OCELLUS_ASSIGN_OR_RETURN(const std::int64_t experts,
                             file.integer(arch + ".expert_count", 0, 4096));
    if (experts > 0)
      return make_error(ErrorCode::kUnsupported, "{}: a mixture of {} experts", file.file(),
                        experts);
  }
  l.vocab_size = rows_of(file, "token_embd.weight");
  if (l.vocab_size < 1 || l.vocab_size > kMaxVocabulary) {
    return make_error(ErrorCode::kBadModel, "{}: token_embd.weight: {} rows, expected 1 to {}",
                      file.file(), l.vocab_size, kMaxVocabulary);
  }
  l.tie_word_embeddings = !has_tensor(file, "output.weight");
  l.attention_qkv_bias = has_tensor(file, "blk.0.attn_q.bias");
  l.attention_output_bias = has_tensor(file, "blk.0.attn_output.bias");
  l.mlp_bias = has_tensor(file, "blk.0.ffn_down.bias");
  OCELLUS_RETURN_IF_ERROR(read_rope(file, arch, l));
  return read_end_tokens(file, l);
}

Result<GgufVocabulary> read_gguf_vocabulary(const GgufFile& file) {
  GgufVocabulary v;
  OCELLUS_ASSIGN_OR_RETURN(v.model, file.text("tokenizer.ggml.model"));
  OCELLUS_ASSIGN_OR_RETURN(const auto tokens, file.texts("tokenizer.ggml.tokens"));
  v.tokens.assign(tokens.begin(), tokens.end());
  const auto same_length = [&](std::string_view key, std::size_t length) -> Status {
    if (length == v.tokens.size()) return {};
    return make_error(ErrorCode::kBadModel, "{}: {}: {} entries, expected {} as of the tokens",
                      file.file(), key, length, v.tokens.size());
  };
  if (file.has("tokenizer.ggml.token_type")) {
    OCELLUS_ASSIGN_OR_RETURN(const auto types, file.numbers("tokenizer.ggml.token_type"));
    OCELLUS_RETURN_IF_ERROR(same_length("tokenizer.ggml.token_type", types.size()));
    for (const double type : types)
      v.types.push_back(type >= 1 && type <= 6 ? static_cast<std::int32_t>(type) : 1);
  } else {
    v.types.assign(v.tokens.size(), 1);
  }
  if (v.model == "llama") {
    OCELLUS_ASSIGN_OR_RETURN(const auto scores, file.numbers("tokenizer.ggml.scores"));
    OCELLUS_RETURN_IF_ERROR(same_length("tokenizer.ggml.scores", scores.size()));
    v.scores.assign(scores.begin(), scores.end());
    if (file.has(kGgufMergesKey)) {
      OCELLUS_ASSIGN_OR_RETURN(const auto merges, file.texts(kGgufMergesKey));
      v.merges.assign(merges.begin(), merges.end());
    }
  } else if (v.model == "gpt2") {
    OCELLUS_ASSIGN_OR_RETURN(const auto merges, file.texts("tokenizer.ggml.merges"));
    v.merges.assign(merges.begin(), merges.end());
    OCELLUS_ASSIGN_OR_RETURN(v.pre, file.text_or("tokenizer.ggml.pre", "default"));
  } else {
    return make_error(ErrorCode::kUnsupported,
                      "{}: tokenizer.ggml.model: expected llama or gpt2, found \"{}\"", file.file(),
                      v.model);
  }
  OCELLUS_ASSIGN_OR_RETURN(
      const bool add_begin,
      file.boolean_or("tokenizer.ggml.add_bos_token", v.model == "llama" || v.pre == "llama-bpe"));
  if (add_begin && file.has("tokenizer.ggml.bos_token_id")) {
    OCELLUS_ASSIGN_OR_RETURN(const std::int64_t begin,
                             file.integer("tokenizer.ggml.bos_token_id", 0,
                                          static_cast<std::int64_t>(v.tokens.size()) - 1));
    v.begin = static_cast<std::int32_t>(begin);
  }
  OCELLUS_ASSIGN_OR_RETURN(v.prefix_space,
                           file.boolean_or("tokenizer.ggml.add_space_prefix", true));
  OCELLUS_ASSIGN_OR_RETURN(v.metaspace, file.text_or(kGgufMetaspaceKey, ""));
  return v;
}

namespace {

Status read_mean(const GgufFile& file, std::string_view key, double (&values)[3], bool positive) {
  if (!file.has(key)) return {};
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<double> found, file.numbers(key));
  const bool good = found.size() == 3 && std::ranges::all_of(found, [&](double x) {
                      return std::isfinite(x) && (!positive || x > 0);
                    });
  if (!good)
    return make_error(ErrorCode::kBadModel, "{}: {}: expected three numbers", file.file(), key);
  std::ranges::copy(found, values);
  return {};
}

Status read_picture(const GgufFile& file, std::int64_t side, ImageProcessorConfig& processor) {
  if (!file.has(kGgufPictureKey)) return {};
  OCELLUS_ASSIGN_OR_RETURN(const std::string way, file.text(kGgufPictureKey));
  if (way != "crop" && way != "pad" && way != "exact") {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected crop, pad or exact, found \"{}\"",
                      file.file(), kGgufPictureKey, way);
  }
  const bool exact = way == "exact";
  processor.do_pad = way == "pad";
  processor.do_center_crop = !exact;
  processor.resize_shortest_edge = exact ? 0 : side;
  processor.resize_height = processor.resize_width = exact ? side : 0;
  return {};
}

// Which output of the tower the projector was trained on: what the file says; else the last one of
// a file from which the converter took the layers behind it, together with the norm after them;
// else LLaVA's, the last but one.
Status read_feature_layers(const GgufFile& file, ModelConfig& config) {
  constexpr const char* kKey = "clip.vision.feature_layer";
  std::vector<std::int64_t>& layers = config.projector.feature_layers;
  if (!file.has(kKey)) {
    layers = {has_tensor(file, "v.post_ln.weight") ? std::int64_t{-2} : config.tower.layers};
    return {};
  }
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<double> given, file.numbers(kKey));
  layers.clear();
  for (const double layer : given) {
    const double count = static_cast<double>(config.tower.layers);
    if (!(layer >= -count - 1 && layer <= count) || layers.size() >= 64) {
      return make_error(ErrorCode::kBadModel, "{}: {}: expected up to 64 layers of {}, found {}",
                        file.file(), kKey, config.tower.layers, layer);
    }
    layers.push_back(static_cast<std::int64_t>(layer));
  }
  if (layers.empty())
    return make_error(ErrorCode::kBadModel, "{}: {}: is empty", file.file(), kKey);
  return {};
}

}  // namespace

Status read_gguf_tower(const GgufFile& file, ModelConfig& config, ImageProcessorConfig& processor) {
  OCELLUS_ASSIGN_OR_RETURN(const std::string arch, file.text("general.architecture"));
  if (arch != "clip") {
    return make_error(ErrorCode::kBadModel,
                      "{}: general.architecture: expected clip (a tower), found \"{}\"",
                      file.file(), arch);
  }
  OCELLUS_ASSIGN_OR_RETURN(std::string projector, file.text_or("clip.projector_type", "mlp"));
  OCELLUS_ASSIGN_OR_RETURN(projector, file.text_or("clip.vision.projector_type", projector));
  if (projector != "mlp") {
    return make_error(ErrorCode::kUnsupported,
                      "{}: clip.projector_type: expected mlp (LLaVA-1.5), found \"{}\"",
                      file.file(), projector);
  }
  TowerConfig& t = config.tower;
  t.kind = has_tensor(file, "v.class_embd") ? TowerKind::kClip : TowerKind::kSiglip;
  const auto integer = [&](const char* key, std::int64_t max) {
    return file.integer(std::string("clip.vision.") + key, 1, max);
  };
  OCELLUS_ASSIGN_OR_RETURN(t.image_size, integer("image_size", kMaxImageSide));
  OCELLUS_ASSIGN_OR_RETURN(t.patch_size, integer("patch_size", t.image_size));
  OCELLUS_ASSIGN_OR_RETURN(t.hidden_size, integer("embedding_length", kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(t.intermediate_size, integer("feed_forward_length", 8 * kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(t.layers, integer("block_count", kMaxLayers));
  OCELLUS_ASSIGN_OR_RETURN(t.heads, integer("attention.head_count", kMaxHeads));
  OCELLUS_ASSIGN_OR_RETURN(t.layer_norm_eps,
                           file.number_or("clip.vision.attention.layer_norm_epsilon", 1e-5));
  if (t.hidden_size % t.heads != 0 || !(t.layer_norm_eps > 0)) {
    return make_error(ErrorCode::kBadModel, "{}: clip.vision.attention: {} heads for a width of {}",
                      file.file(), t.heads, t.hidden_size);
  }
  OCELLUS_ASSIGN_OR_RETURN(const bool gelu, file.boolean_or("clip.use_gelu", false));
  OCELLUS_ASSIGN_OR_RETURN(const bool silu, file.boolean_or("clip.use_silu", false));
  t.activation = silu                           ? Activation::kSilu
                 : !gelu                        ? Activation::kQuickGelu
                 : t.kind == TowerKind::kSiglip ? Activation::kGeluTanh
                                                : Activation::kGelu;
  config.projector.activation = Activation::kGelu;
  config.projector.bias = has_tensor(file, "mm.0.bias");
  config.projector.select =
      t.kind == TowerKind::kClip ? FeatureSelect::kDefault : FeatureSelect::kFull;
  OCELLUS_RETURN_IF_ERROR(read_feature_layers(file, config));
  processor.resize_shortest_edge = processor.crop_height = processor.crop_width = t.image_size;
  if (t.kind == TowerKind::kSiglip) {
    processor.type = "SiglipImageProcessor";
    processor.resize_shortest_edge = 0;
    processor.resize_height = processor.resize_width = t.image_size;
    processor.do_center_crop = false;
  }
  OCELLUS_RETURN_IF_ERROR(read_picture(file, t.image_size, processor));
  OCELLUS_RETURN_IF_ERROR(read_mean(file, "clip.vision.image_mean", processor.mean, false));
  return read_mean(file, "clip.vision.image_std", processor.std, true);
}

}  // namespace ocellus::formats
