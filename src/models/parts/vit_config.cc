#include "models/parts/vit_config.h"

#include <fmt/format.h>

#include "base/result.h"
#include "formats/limits.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::ConfigReader;
using formats::GgufMetadata;
using tensor::Activation;

// What a model_type means: the switches and defaults of its class.
struct VitType {
  std::string_view name, model_type;
  bool class_token, pre_norm, patch_bias;
  std::int64_t patch_size;
  double layer_norm_eps;
  Activation activation;
};
constexpr VitType kClip = {"clip", "clip_vision_model",   true, true, false, 32,
                           1e-5,   Activation::kQuickGelu};
constexpr VitType kSiglip = {"siglip", "siglip_vision_model", false, false, true, 16,
                             1e-6,     Activation::kGeluTanh};

const VitType& type_of(ConfigReader& r) {
  const std::string name = r.text("model_type", kClip.model_type);
  for (const VitType* type : {&kClip, &kSiglip})
    if (name == type->model_type || name == type->name) return *type;
  r.fail(ErrorCode::kUnsupported,
         fmt::format("{}: model_type: expected {} or {}, found \"{}\"", r.where(), kClip.model_type,
                     kSiglip.model_type, name));
  return kClip;
}

void take(const VitType& type, VitConfig& c) {
  c.name = type.name;
  c.class_token = type.class_token;
  c.pre_norm = type.pre_norm;
  c.patch_bias = type.patch_bias;
}

// Which function clip.use_gelu means: converters write it for either.
Activation gguf_gelu(const VitConfig& c) {
  return c.class_token ? Activation::kGelu : Activation::kGeluTanh;
}

}  // namespace

VitConfig read_vit_config(ConfigReader& r) {
  using formats::kMaxHidden, formats::kMaxImageSide;
  const VitType& type = type_of(r);
  VitConfig c;
  take(type, c);
  // A vision_config that is there has its own class's defaults.
  const bool given = r.is_given();
  c.image_size = r.integer("image_size", given ? 224 : 336, 1, kMaxImageSide);
  c.patch_size = r.integer("patch_size", given ? type.patch_size : 14, 1, kMaxImageSide);
  c.channels = r.integer("num_channels", 3, 3, 3);
  c.hidden_size = r.integer("hidden_size", given ? 768 : 1024, 1, kMaxHidden);
  c.intermediate_size = r.integer("intermediate_size", given ? 3072 : 4096, 1, 8 * kMaxHidden);
  c.layers = r.integer("num_hidden_layers", given ? 12 : 24, 1, formats::kMaxLayers);
  c.heads = r.integer("num_attention_heads", given ? 12 : 16, 1, formats::kMaxHeads);
  c.layer_norm_eps = r.positive("layer_norm_eps", type.layer_norm_eps);
  c.activation = r.activation("hidden_act", type.activation);
  if (c.patch_size > c.image_size) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: patch_size: expected at most image_size {}, found "
                       "{}",
                       r.where(), c.image_size, c.patch_size));
  }
  if (c.hidden_size % c.heads != 0) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: hidden_size: expected a multiple of num_attention_heads {}, found {}",
                       r.where(), c.heads, c.hidden_size));
  }
  return c;
}

Result<VitConfig> read_vit_gguf(const GgufSource& source) {
  using formats::kMaxHidden;
  const GgufMetadata& file = source.metadata;
  VitConfig c;
  // No key says which it is: the class token does.
  take(source.has("v.class_embd") ? kClip : kSiglip, c);
  const auto integer = [&](const char* key, std::int64_t max) {
    return file.integer(std::string("clip.vision.") + key, 1, max);
  };
  OCELLUS_ASSIGN_OR_RETURN(c.image_size, integer("image_size", formats::kMaxImageSide));
  OCELLUS_ASSIGN_OR_RETURN(c.patch_size, integer("patch_size", c.image_size));
  OCELLUS_ASSIGN_OR_RETURN(c.hidden_size, integer("embedding_length", kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(c.intermediate_size, integer("feed_forward_length", 8 * kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(c.layers, integer("block_count", formats::kMaxLayers));
  OCELLUS_ASSIGN_OR_RETURN(c.heads, integer("attention.head_count", formats::kMaxHeads));
  OCELLUS_ASSIGN_OR_RETURN(c.layer_norm_eps,
                           file.number_or("clip.vision.attention.layer_norm_epsilon", 1e-5));
  if (!(c.layer_norm_eps > 0)) {
    return make_error(ErrorCode::kBadModel,
                      "{}: clip.vision.attention.layer_norm_epsilon: expected more than 0, found "
                      "{}",
                      file.file(), c.layer_norm_eps);
  }
  if (c.hidden_size % c.heads != 0) {
    return make_error(ErrorCode::kBadModel,
                      "{}: clip.vision.attention.head_count: expected a divisor of the width {}, "
                      "found {}",
                      file.file(), c.hidden_size, c.heads);
  }
  OCELLUS_ASSIGN_OR_RETURN(const bool gelu, file.boolean_or("clip.use_gelu", false));
  OCELLUS_ASSIGN_OR_RETURN(const bool silu, file.boolean_or("clip.use_silu", false));
  c.activation = silu ? Activation::kSilu : gelu ? gguf_gelu(c) : Activation::kQuickGelu;
  return c;
}

Status put_vit_gguf(formats::GgufWriter& w, const VitConfig& c, std::string_view file) {
  if (c.activation != Activation::kQuickGelu && c.activation != Activation::kSilu &&
      c.activation != gguf_gelu(c)) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: hidden_act of the tower has no GGUF key: expected quick_gelu, silu or "
                      "{}, found {}",
                      file, tensor::activation_name(gguf_gelu(c)),
                      tensor::activation_name(c.activation));
  }
  const auto put = [&](const char* key, std::int64_t value) {
    w.put_u32(std::string("clip.vision.") + key, static_cast<std::uint32_t>(value));
  };
  put("image_size", c.image_size);
  put("patch_size", c.patch_size);
  put("embedding_length", c.hidden_size);
  put("feed_forward_length", c.intermediate_size);
  put("block_count", c.layers);
  put("attention.head_count", c.heads);
  w.put_f32("clip.vision.attention.layer_norm_epsilon", static_cast<float>(c.layer_norm_eps));
  w.put_bool("clip.use_gelu", c.activation == gguf_gelu(c));
  w.put_bool("clip.use_silu", c.activation == Activation::kSilu);
  return {};
}

}  // namespace ocellus::models
