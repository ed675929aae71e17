#include "formats/hf_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/result.h"
#include "formats/config_reader.h"
#include "json/json.h"

namespace ocellus::formats {
namespace {

Result<json::bj::value> parse_object(std::string_view text, std::string_view file) {
  // Writers of Python repeat no keys, but checkpoints are edited by hand: the strict rules stay.
  auto value = json::parse(text, file);
  if (!value) return base::make_error(ErrorCode::kBadModel, "{}", value.error().message);
  if (!value->is_object()) {
    return base::make_error(ErrorCode::kBadModel, "{}: expected an object, found {}", file,
                            json::kind_name(*value));
  }
  return value;
}

TowerConfig read_tower(ConfigReader& r) {
  TowerConfig tower;
  const std::string type = r.text("model_type", "clip_vision_model");
  const bool given = r.object() != nullptr;
  if (type == "clip_vision_model" || type == "clip") {
    tower.kind = TowerKind::kClip;
  } else if (type == "siglip_vision_model" || type == "siglip") {
    tower.kind = TowerKind::kSiglip;
  } else {
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: model_type: unknown tower \"{}\"", r.where(), type));
  }
  const bool siglip = tower.kind == TowerKind::kSiglip;
  // No vision_config at all means LLaVA-1.5's ViT-L/14 at 336; one that is there gets its own
  // class's defaults.
  tower.image_size = r.integer("image_size", given ? 224 : 336, 1, kMaxImageSide);
  tower.patch_size = r.integer("patch_size", given ? (siglip ? 16 : 32) : 14, 1, kMaxImageSide);
  tower.channels = r.integer("num_channels", 3, 3, 3);
  tower.hidden_size = r.integer("hidden_size", given ? 768 : 1024, 1, kMaxHidden);
  tower.intermediate_size = r.integer("intermediate_size", given ? 3072 : 4096, 1, 8 * kMaxHidden);
  tower.layers = r.integer("num_hidden_layers", given ? 12 : 24, 1, kMaxLayers);
  tower.heads = r.integer("num_attention_heads", given ? 12 : 16, 1, kMaxHeads);
  tower.layer_norm_eps = r.positive("layer_norm_eps", siglip ? 1e-6 : 1e-5);
  tower.activation =
      r.activation("hidden_act", siglip ? Activation::kGeluTanh : Activation::kQuickGelu);
  if (tower.patch_size > tower.image_size) {
    r.fail(ErrorCode::kBadModel, fmt::format("{}: patch_size {} is larger than image_size {}",
                                             r.where(), tower.patch_size, tower.image_size));
  }
  if (tower.hidden_size % tower.heads != 0) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: hidden_size {} is not a multiple of num_attention_heads {}", r.where(),
                       tower.hidden_size, tower.heads));
  }
  return tower;
}

RopeConfig read_rope(ConfigReader& r, std::int64_t max_position, double default_theta) {
  RopeConfig rope;
  const bool new_spelling = r.has("rope_parameters");
  ConfigReader scaling = r.child(new_spelling ? "rope_parameters" : "rope_scaling");
  rope.theta = r.positive("rope_theta", default_theta);
  rope.theta = scaling.positive("rope_theta", rope.theta);
  rope.partial_rotary_factor = r.positive("partial_rotary_factor", 1.0);
  rope.partial_rotary_factor =
      scaling.positive("partial_rotary_factor", rope.partial_rotary_factor);
  const std::string type = scaling.text("rope_type", scaling.text("type", "default"));
  if (type == "default") {
    rope.scaling = RopeConfig::Scaling::kNone;
  } else if (type == "linear") {
    rope.scaling = RopeConfig::Scaling::kLinear;
  } else if (type == "llama3") {
    rope.scaling = RopeConfig::Scaling::kLlama3;
  } else {
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: rope type \"{}\" is not known", scaling.where(), type));
  }
  rope.factor = scaling.positive("factor", 1.0);
  rope.low_freq_factor = scaling.positive("low_freq_factor", 1.0);
  rope.high_freq_factor = scaling.positive("high_freq_factor", 4.0);
  rope.original_max_position =
      scaling.integer("original_max_position_embeddings", max_position, 1, std::int64_t{1} << 31);
  if (rope.partial_rotary_factor > 1) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: partial_rotary_factor: expected at most 1, found {}", r.where(),
                       rope.partial_rotary_factor));
  }
  if (rope.scaling == RopeConfig::Scaling::kLlama3 &&
      rope.high_freq_factor <= rope.low_freq_factor) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: high_freq_factor {} is not above low_freq_factor {}", scaling.where(),
                       rope.high_freq_factor, rope.low_freq_factor));
  }
  r.join(scaling);
  return rope;
}

LanguageConfig read_language(ConfigReader& r) {
  LanguageConfig language;
  const std::string type = r.text("model_type", "llama");
  if (type == "llama") {
    language.kind = LanguageKind::kLlama;
  } else if (type == "mistral") {
    language.kind = LanguageKind::kMistral;
  } else if (type == "qwen2") {
    language.kind = LanguageKind::kQwen2;
  } else {
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: model_type: unknown language model \"{}\"", r.where(), type));
  }
  const bool mistral = language.kind == LanguageKind::kMistral;
  const bool qwen2 = language.kind == LanguageKind::kQwen2;
  language.vocab_size = r.integer("vocab_size", qwen2 ? 151936 : 32000, 1, kMaxVocabulary);
  language.hidden_size = r.integer("hidden_size", 4096, 1, kMaxHidden);
  language.intermediate_size = r.integer("intermediate_size",
                                         mistral ? 14336
                                         : qwen2 ? 22016
                                                 : 11008,
                                         1, 8 * kMaxHidden);
  language.layers = r.integer("num_hidden_layers", 32, 1, kMaxLayers);
  language.heads = r.integer("num_attention_heads", 32, 1, kMaxHeads);
  // Where the key is there but null, the classes fall back to as many as query heads.
  const bool kv_null = r.object() != nullptr && r.object()->contains("num_key_value_heads");
  const std::int64_t default_kv = kv_null   ? language.heads
                                  : mistral ? 8
                                  : qwen2   ? 32
                                            : language.heads;
  language.kv_heads = r.integer("num_key_value_heads", default_kv, 1, kMaxHeads);
  if (!r.has("head_dim") && language.hidden_size % language.heads != 0) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: hidden_size {} is not a multiple of num_attention_heads {}", r.where(),
                       language.hidden_size, language.heads));
  }
  language.head_dim = r.integer("head_dim", language.hidden_size / language.heads, 1, kMaxHidden);
  language.max_position = r.integer("max_position_embeddings",
                                    mistral ? 4096 * 32
                                    : qwen2 ? 32768
                                            : 2048,
                                    1, std::int64_t{1} << 31);
  language.rms_norm_eps = r.positive("rms_norm_eps", 1e-6);
  language.activation = r.activation("hidden_act", Activation::kSilu);
  language.rope = read_rope(r, language.max_position, 10000.0);
  language.tie_word_embeddings = r.boolean("tie_word_embeddings", false);
  language.attention_qkv_bias = qwen2 || (!mistral && r.boolean("attention_bias", false));
  language.attention_output_bias = !qwen2 && !mistral && r.boolean("attention_bias", false);
  language.mlp_bias = !qwen2 && !mistral && r.boolean("mlp_bias", false);
  const bool null_window =
      r.object() != nullptr && r.object()->contains("sliding_window") && !r.has("sliding_window");
  if (mistral && !null_window) {
    language.sliding_window = r.integer("sliding_window", 4096, 1, std::int64_t{1} << 31);
  } else if (qwen2 && r.boolean("use_sliding_window", false)) {
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: use_sliding_window: windows in some layers only are not supported",
                       r.where()));
  }
  language.bos_token = r.integer("bos_token_id", qwen2 ? -1 : 1, -1, kMaxVocabulary);
  language.eos_tokens =
      r.integers("eos_token_id", qwen2 ? std::vector<std::int64_t>{} : std::vector<std::int64_t>{2},
                 0, kMaxVocabulary);
  if (language.heads % language.kv_heads != 0) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: num_attention_heads {} is not a multiple of num_key_value_heads {}",
                       r.where(), language.heads, language.kv_heads));
  }
  if (language.head_dim % 2 != 0 || language.heads * language.head_dim > kMaxHidden) {
    r.fail(
        ErrorCode::kBadModel,
        fmt::format("{}: head_dim: {} for {} heads, expected an even number and at most {} in all",
                    r.where(), language.head_dim, language.heads, kMaxHidden));
  }
  return language;
}

void read_projector(ConfigReader& r, ModelConfig& model) {
  ProjectorConfig& projector = model.projector;
  projector.activation = r.activation("projector_hidden_act", Activation::kGelu);
  projector.bias = r.boolean("multimodal_projector_bias", true);
  const std::int64_t layers = model.tower.layers;
  projector.feature_layers = r.integers("vision_feature_layer", {-2}, -layers - 1, layers);
  if (projector.feature_layers.empty() || projector.feature_layers.size() > 64) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: vision_feature_layer: {} layers, expected 1 to 64", r.where(),
                       projector.feature_layers.size()));
  }
  const std::string select = r.text("vision_feature_select_strategy", "default");
  if (select != "default" && select != "full") {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: vision_feature_select_strategy: expected default or full, found {}",
                       r.where(), select));
  }
  projector.select = select == "full" ? FeatureSelect::kFull : FeatureSelect::kDefault;
}

}  // namespace

Result<ModelConfig> parse_model_config(std::string_view text, std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const json::bj::value document, parse_object(text, file));
  ConfigReader r(&document.get_object(), std::string(file));
  ModelConfig model;
  model.model_type = r.text("model_type", "");
  if (r.status() && model.model_type != "llava") {
    return base::make_error(ErrorCode::kUnsupported, "{}: model_type: expected llava, found \"{}\"",
                            file, model.model_type);
  }
  ConfigReader tower = r.child("vision_config");
  model.tower = read_tower(tower);
  r.join(tower);
  ConfigReader language = r.child("text_config");
  model.language = read_language(language);
  r.join(language);
  OCELLUS_RETURN_IF_ERROR(r.status());
  read_projector(r, model);
  // Either place may ask for tying: transformers forwards the inner one to the outer.
  model.language.tie_word_embeddings |= r.boolean("tie_word_embeddings", false);
  model.image_token =
      r.integer("image_token_id", r.integer("image_token_index", 32000, 0, kMaxVocabulary), 0,
                kMaxVocabulary);
  model.pad_token = r.integer("pad_token_id", -1, -1, kMaxVocabulary);
  const std::string dtype = r.text("dtype", r.text("torch_dtype", "float32"));
  model.stored_dtype = dtype == "float16"    ? tensor::DType::kF16
                       : dtype == "bfloat16" ? tensor::DType::kBF16
                                             : tensor::DType::kF32;
  OCELLUS_RETURN_IF_ERROR(r.status());
  return model;
}

namespace {

void read_size(ConfigReader& r, ImageProcessorConfig& config) {
  const std::int64_t max = 16384;
  if (!r.has("size")) return;
  if (r.object()->at("size").is_int64()) {
    config.resize_shortest_edge = r.integer("size", 0, 1, max);
    return;
  }
  ConfigReader size = r.child("size");
  if (size.has("shortest_edge")) {
    config.resize_shortest_edge = size.integer("shortest_edge", 0, 1, max);
    config.resize_longest_edge = size.integer("longest_edge", 0, 1, max);
  } else {
    config.resize_shortest_edge = 0;
    config.resize_height = size.integer("height", 0, 1, max);
    config.resize_width = size.integer("width", 0, 1, max);
    if (config.resize_height == 0 || config.resize_width == 0) {
      size.fail(ErrorCode::kBadModel,
                size.where() + ": expected shortest_edge, or height and width");
    }
  }
  r.join(size);
}

void read_crop(ConfigReader& r, ImageProcessorConfig& config) {
  const std::int64_t max = kMaxImageSide;
  if (!r.has("crop_size")) return;
  if (r.object()->at("crop_size").is_int64()) {
    config.crop_height = config.crop_width = r.integer("crop_size", 0, 1, max);
    return;
  }
  ConfigReader crop = r.child("crop_size");
  config.crop_height = crop.integer("height", crop.integer("shortest_edge", 0, 1, max), 1, max);
  config.crop_width = crop.integer("width", crop.integer("shortest_edge", 0, 1, max), 1, max);
  if (config.crop_height == 0 || config.crop_width == 0) {
    crop.fail(ErrorCode::kBadModel, crop.where() + ": expected height and width");
  }
  r.join(crop);
}

void read_three(ConfigReader& r, std::string_view key, double (&values)[3], bool positive) {
  if (!r.has(key)) return;
  const json::bj::value& value = r.object()->at({key.data(), key.size()});
  const json::bj::array* array = value.if_array();
  const bool good = array != nullptr && array->size() == 3 &&
                    std::ranges::all_of(*array, [&](const json::bj::value& item) {
                      return item.is_number() && std::isfinite(item.to_number<double>()) &&
                             (!positive || item.to_number<double>() > 0);
                    });
  if (!good) {
    r.fail(ErrorCode::kBadModel, fmt::format("{}: {}: expected three {}numbers", r.where(), key,
                                             positive ? "positive " : ""));
    return;
  }
  for (int i = 0; i < 3; ++i) values[i] = (*array)[i].to_number<double>();
}

}  // namespace

Result<ImageProcessorConfig> parse_image_processor(std::string_view text, std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const json::bj::value document, parse_object(text, file));
  ConfigReader outer(&document.get_object(), std::string(file));
  ConfigReader r = outer.has("image_processor") ? outer.child("image_processor") : outer;
  ImageProcessorConfig config;
  config.type =
      r.text("image_processor_type", r.text("feature_extractor_type", "CLIPImageProcessor"));
  const bool siglip = config.type.starts_with("Siglip");
  if (siglip) {  // SiglipImageProcessor: the exact square, no crop, to [-1, 1]
    config.resize_shortest_edge = 0;
    config.resize_height = config.resize_width = 224;
    config.do_center_crop = false;
    std::ranges::fill(config.mean, 0.5);
    std::ranges::fill(config.std, 0.5);
  } else {
    config.resize_shortest_edge = config.crop_height = config.crop_width = 224;
  }
  read_size(r, config);
  read_crop(r, config);
  config.do_resize = r.boolean("do_resize", true);
  config.resample = static_cast<int>(r.integer("resample", 3, 0, 5));
  config.do_center_crop = r.boolean("do_center_crop", config.do_center_crop);
  config.do_rescale = r.boolean("do_rescale", true);
  config.rescale_factor = r.positive("rescale_factor", 1.0 / 255.0);
  config.do_normalize = r.boolean("do_normalize", true);
  config.do_pad = r.boolean("do_pad", false);
  read_three(r, "image_mean", config.mean, false);
  read_three(r, "image_std", config.std, true);
  outer.join(r);
  OCELLUS_RETURN_IF_ERROR(outer.status());
  OCELLUS_RETURN_IF_ERROR(r.status());
  return config;
}

Result<GenerationConfig> parse_generation_config(std::string_view text, std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const json::bj::value document, parse_object(text, file));
  ConfigReader r(&document.get_object(), std::string(file));
  GenerationConfig config;
  config.has_temperature = r.has("temperature");
  config.temperature = r.number("temperature", 1.0);
  config.do_sample = r.boolean("do_sample", false);
  config.top_p = r.number("top_p", 1.0);
  config.top_k = r.integer("top_k", 0, 0, kMaxVocabulary);
  config.repetition_penalty = r.positive("repetition_penalty", 1.0);
  config.max_new_tokens = r.integer("max_new_tokens", 0, 1, std::int64_t{1} << 20);
  config.eos_tokens = r.integers("eos_token_id", {}, 0, kMaxVocabulary);
  OCELLUS_RETURN_IF_ERROR(r.status());
  return config;
}

Result<std::optional<std::string>> parse_chat_template(std::string_view text,
                                                       std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const json::bj::value document, parse_object(text, file));
  const json::bj::value* value = document.get_object().if_contains("chat_template");
  if (value == nullptr || value->is_null()) return std::nullopt;
  const auto as_text = [](const json::bj::string& s) { return std::string(s.data(), s.size()); };
  if (value->is_string()) return as_text(value->get_string());
  const json::bj::value* chosen = nullptr;
  if (const json::bj::array* named = value->if_array()) {
    for (const json::bj::value& item : *named) {
      const json::bj::object* entry = item.if_object();
      const json::bj::value* name = entry == nullptr ? nullptr : entry->if_contains("name");
      const json::bj::value* content = entry == nullptr ? nullptr : entry->if_contains("template");
      if (name == nullptr || content == nullptr || !name->is_string() || !content->is_string())
        continue;
      if (chosen == nullptr || name->get_string() == "default") chosen = content;
    }
  }
  if (chosen == nullptr) {
    return base::make_error(ErrorCode::kBadModel,
                            "{}: chat_template: expected a text or a list of named texts, found {}",
                            file, json::kind_name(*value));
  }
  return as_text(chosen->get_string());
}

}  // namespace ocellus::formats
