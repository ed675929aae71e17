#include "convert/gguf_export_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "base/result.h"

namespace ocellus::convert {
namespace {

using base::make_error;
using formats::GgufWriter;
using tensor::Activation;
using tensor::DType;

// ggml's enum llama_ftype. Of the k types those whose layers are all of one type.
std::uint32_t file_type(DType weights) {
  switch (weights) {
    case DType::kF16:
      return 1;
    case DType::kQ4_0:
      return 2;
    case DType::kQ4_1:
      return 3;
    case DType::kQ8_0:
      return 7;
    case DType::kQ5_0:
      return 8;
    case DType::kQ5_1:
      return 9;
    case DType::kQ2_K:
      return 10;
    case DType::kQ3_K:
      return 11;
    case DType::kQ4_K:
      return 14;
    case DType::kQ5_K:
      return 16;
    case DType::kQ6_K:
      return 18;
    case DType::kBF16:
      return 32;
    default:
      return 0;
  }
}

auto unsupported(const models::Checkpoint& c, std::string_view what) {
  return make_error(ErrorCode::kUnsupported, "{}: {} cannot be said in a GGUF file",
                    c.folder.string(), what);
}

std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

Status put_tokens(GgufWriter& w, const models::Checkpoint& c, const formats::GgufVocabulary& v) {
  w.put_text("tokenizer.ggml.model", v.model);
  w.put_text("tokenizer.ggml.pre", v.model == "gpt2" ? v.pre : "default");
  const std::vector<std::string_view> tokens(v.tokens.begin(), v.tokens.end());
  w.put_texts("tokenizer.ggml.tokens", tokens);
  if (v.model == "llama") w.put_f32s("tokenizer.ggml.scores", v.scores);
  w.put_i32s("tokenizer.ggml.token_type", v.types);
  if (v.model == "gpt2" || !v.merges.empty()) {
    const std::vector<std::string_view> merges(v.merges.begin(), v.merges.end());
    w.put_texts(v.model == "gpt2" ? "tokenizer.ggml.merges" : formats::kGgufMergesKey, merges);
  }
  const auto size = static_cast<std::int64_t>(v.tokens.size());
  const auto put_id = [&](const char* key, std::int64_t id) -> Status {
    if (id >= size) {
      return make_error(ErrorCode::kBadModel, "{}: {}: token {} of a vocabulary of {}",
                        c.folder.string(), key, id, size);
    }
    if (id >= 0) w.put_u32(key, u32(id));
    return {};
  };
  OCELLUS_RETURN_IF_ERROR(put_id("tokenizer.ggml.bos_token_id",
                                 v.begin ? std::int64_t{*v.begin} : c.config.language.bos_token));
  // The reader's three keys for tokens that end an answer.
  constexpr const char* kEnds[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                   "tokenizer.ggml.eom_token_id"};
  const auto& ends =
      c.generation.eos_tokens.empty() ? c.config.language.eos_tokens : c.generation.eos_tokens;
  for (std::size_t i = 0; i < ends.size() && i < std::size(kEnds); ++i)
    OCELLUS_RETURN_IF_ERROR(put_id(kEnds[i], ends[i]));
  if (ends.size() > std::size(kEnds)) {
    base::log(base::LogLevel::kWarning,
              fmt::format("{}: {} end tokens, a GGUF file names {}", c.folder.string(), ends.size(),
                          std::size(kEnds)));
  }
  const auto unknown = std::ranges::find(v.types, 2);
  if (unknown != v.types.end())
    OCELLUS_RETURN_IF_ERROR(put_id("tokenizer.ggml.unknown_token_id", unknown - v.types.begin()));
  OCELLUS_RETURN_IF_ERROR(put_id("tokenizer.ggml.padding_token_id", c.config.pad_token));
  w.put_bool("tokenizer.ggml.add_bos_token", v.begin.has_value());
  if (v.model == "llama") w.put_bool("tokenizer.ggml.add_space_prefix", v.prefix_space);
  if (!v.metaspace.empty()) w.put_text(formats::kGgufMetaspaceKey, v.metaspace);
  if (c.chat_template) w.put_text("tokenizer.chat_template", *c.chat_template);
  // Other engines know the picture's place without a name; ours goes by "<image>", or by this.
  const std::int64_t image = c.config.image_token;
  if (image >= 0 && image < size && v.tokens[static_cast<std::size_t>(image)] != "<image>")
    w.put_u32(formats::kGgufImageTokenKey, u32(image));
  return {};
}

Status put_rope(GgufWriter& w, const models::Checkpoint& c, const std::string& arch) {
  const formats::LanguageConfig& l = c.config.language;
  using Scaling = formats::RopeConfig::Scaling;
  w.put_u32(arch + ".rope.dimension_count",
            u32(static_cast<std::int64_t>(static_cast<double>(l.head_dim) *
                                          l.rope.partial_rotary_factor)));
  w.put_f32(arch + ".rope.freq_base", static_cast<float>(l.rope.theta));
  if (l.rope.scaling == Scaling::kLinear) {
    w.put_text(arch + ".rope.scaling.type", "linear");
    w.put_f32(arch + ".rope.scaling.factor", static_cast<float>(l.rope.factor));
  } else if (l.rope.scaling != Scaling::kNone && l.rope.scaling != Scaling::kLlama3) {
    return unsupported(c, "this rope scaling");
  }
  return {};
}

Status put_activation(GgufWriter& w, const models::Checkpoint& c) {
  const formats::TowerConfig& t = c.config.tower;
  const Activation gelu =
      t.kind == formats::TowerKind::kSiglip ? Activation::kGeluTanh : Activation::kGelu;
  if (t.activation != Activation::kQuickGelu && t.activation != Activation::kSilu &&
      t.activation != gelu) {
    return unsupported(c, "the tower's activation");
  }
  w.put_bool("clip.use_gelu", t.activation == gelu);
  w.put_bool("clip.use_silu", t.activation == Activation::kSilu);
  return {};
}

// How pictures that are not square are treated, where it is not the tower's family's way.
void put_picture(GgufWriter& w, const models::Checkpoint& c) {
  const formats::ImageProcessorConfig& p = c.image_processor;
  const std::int64_t side = c.config.tower.image_size;
  const bool exact = p.resize_height == side && p.resize_width == side && !p.do_center_crop;
  const bool sized = exact || (p.resize_shortest_edge == side && p.resize_longest_edge == 0 &&
                               p.crop_height == side && p.crop_width == side && p.do_center_crop);
  constexpr int kBicubic = 3;
  const bool usual = std::abs(p.rescale_factor * 255 - 1) < 1e-12;
  if (!sized || !p.do_resize || !p.do_rescale || !p.do_normalize || p.resample != kBicubic ||
      !usual) {
    base::log(base::LogLevel::kWarning,
              fmt::format("{}: a GGUF file cannot say how pictures are resized here; whoever reads "
                          "it does it as the tower's family does",
                          c.folder.string()));
    return;
  }
  const std::string_view way = p.do_pad ? "pad" : exact ? "exact" : "crop";
  const bool siglip = c.config.tower.kind == formats::TowerKind::kSiglip;
  if (way != (siglip ? "exact" : "crop")) w.put_text(formats::kGgufPictureKey, way);
}

}  // namespace

std::string_view gguf_architecture(const formats::LanguageConfig& config) {
  return config.kind == formats::LanguageKind::kQwen2 ? "qwen2" : "llama";
}

void put_file_type(GgufWriter& writer, DType weights) {
  writer.put_u32(kFileTypeKey, file_type(weights));
  constexpr std::uint32_t kVersion = 2;  // ggml's GGML_QNT_VERSION
  writer.put_u32(kQuantizationKey, kVersion);
}

Status put_language(GgufWriter& w, const models::Checkpoint& c, const formats::GgufVocabulary& v,
                    std::string_view name, DType weights) {
  const formats::LanguageConfig& l = c.config.language;
  const std::string arch(gguf_architecture(l));
  if (l.activation != Activation::kSilu) return unsupported(c, "the language model's activation");
  w.put_text("general.architecture", arch);
  w.put_text("general.type", "model");
  w.put_text("general.name", name);
  put_file_type(w, weights);
  w.put_u32(arch + ".vocab_size", u32(l.vocab_size));
  w.put_u32(arch + ".context_length", u32(l.max_position));
  w.put_u32(arch + ".embedding_length", u32(l.hidden_size));
  w.put_u32(arch + ".block_count", u32(l.layers));
  w.put_u32(arch + ".feed_forward_length", u32(l.intermediate_size));
  w.put_u32(arch + ".attention.head_count", u32(l.heads));
  w.put_u32(arch + ".attention.head_count_kv", u32(l.kv_heads));
  w.put_u32(arch + ".attention.key_length", u32(l.head_dim));
  w.put_u32(arch + ".attention.value_length", u32(l.head_dim));
  w.put_f32(arch + ".attention.layer_norm_rms_epsilon", static_cast<float>(l.rms_norm_eps));
  if (l.sliding_window > 0) w.put_u32(arch + ".attention.sliding_window", u32(l.sliding_window));
  OCELLUS_RETURN_IF_ERROR(put_rope(w, c, arch));
  return put_tokens(w, c, v);
}

Status put_tower(GgufWriter& w, const models::Checkpoint& c, std::string_view name, DType weights) {
  const formats::TowerConfig& t = c.config.tower;
  const formats::ProjectorConfig& p = c.config.projector;
  if (p.activation != Activation::kGelu) return unsupported(c, "the projector's activation");
  const bool keeps_all = p.select == formats::FeatureSelect::kFull;
  if (keeps_all == t.has_class_token())
    return unsupported(c, "which of the tower's rows reach the projector");
  w.put_text("general.architecture", "clip");
  w.put_text("general.type", "mmproj");
  w.put_text("general.name", name);
  put_file_type(w, weights);
  w.put_bool("clip.has_vision_encoder", true);
  w.put_bool("clip.has_text_encoder", false);
  w.put_bool("clip.has_llava_projector", true);
  w.put_text("clip.projector_type", "mlp");
  w.put_u32("clip.vision.image_size", u32(t.image_size));
  w.put_u32("clip.vision.patch_size", u32(t.patch_size));
  w.put_u32("clip.vision.embedding_length", u32(t.hidden_size));
  w.put_u32("clip.vision.feed_forward_length", u32(t.intermediate_size));
  w.put_u32("clip.vision.block_count", u32(t.layers));
  w.put_u32("clip.vision.attention.head_count", u32(t.heads));
  w.put_u32("clip.vision.projection_dim", u32(c.config.language.hidden_size));
  w.put_f32("clip.vision.attention.layer_norm_epsilon", static_cast<float>(t.layer_norm_eps));
  float mean[3], deviation[3];
  for (std::size_t i = 0; i < 3; ++i) {
    mean[i] = static_cast<float>(c.image_processor.mean[i]);
    deviation[i] = static_cast<float>(c.image_processor.std[i]);
  }
  w.put_f32s("clip.vision.image_mean", mean);
  w.put_f32s("clip.vision.image_std", deviation);
  OCELLUS_RETURN_IF_ERROR(put_activation(w, c));
  // LLaVA's last layer but one goes without saying, where the norm behind the last is in the file.
  std::vector<std::int32_t> layers;
  for (const std::int64_t layer : p.feature_layers)
    layers.push_back(static_cast<std::int32_t>(layer >= 0 ? layer : t.layers + 1 + layer));
  if (layers != std::vector{static_cast<std::int32_t>(t.layers - 1)} ||
      !c.has("tower.post_layernorm.weight")) {
    w.put_i32s("clip.vision.feature_layer", layers);
  }
  put_picture(w, c);
  return {};
}

}  // namespace ocellus::convert
