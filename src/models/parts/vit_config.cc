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

constexpr VitNames kNames = {.class_token = "embeddings.class_embedding",
                             .patches = "embeddings.patch_embedding",
                             .positions = "embeddings.position_embedding.weight",
                             .layer = "encoder.layers.",
                             .norm1 = "layer_norm1",
                             .q = "self_attn.q_proj",
                             .k = "self_attn.k_proj",
                             .v = "self_attn.v_proj",
                             .out = "self_attn.out_proj",
                             .scale1 = "",
                             .norm2 = "layer_norm2",
                             .scale2 = ""};
constexpr VitNames kInternVitNames = {.class_token = "embeddings.cls_token",
                                      .patches = "embeddings.patch_embeddings.projection",
                                      .positions = "embeddings.position_embeddings",
                                      .layer = "encoder.layer.",
                                      .norm1 = "layernorm_before",
                                      .q = "attention.q_proj",
                                      .k = "attention.k_proj",
                                      .v = "attention.v_proj",
                                      .out = "attention.projection_layer",
                                      .scale1 = "lambda_1",
                                      .norm2 = "layernorm_after",
                                      .scale2 = "lambda_2"};

// In InternVL's own layout.
constexpr VitNames kInternVitOwnNames = {.class_token = "embeddings.class_embedding",
                                         .patches = "embeddings.patch_embedding",
                                         .positions = "embeddings.position_embedding",
                                         .layer = "encoder.layers.",
                                         .norm1 = "norm1",
                                         .q = "attn.q",
                                         .k = "attn.k",
                                         .v = "attn.v",
                                         .out = "attn.proj",
                                         .scale1 = "ls1",
                                         .norm2 = "norm2",
                                         .scale2 = "ls2",
                                         .qkv = "attn.qkv"};

// What a model_type means: the switches and defaults of its class.
struct VitType {
  std::string_view name, model_type;
  bool class_token, pre_norm, patch_bias;
  std::int64_t patch_size, hidden_size, heads;
  double layer_norm_eps;
  Activation activation;
  std::int64_t image_size = 224, intermediate_size = 3072, layers = 12;
  bool layer_scale = false;
  const VitNames* names = &kNames;
};
constexpr VitType kTypes[] = {
    {.name = "clip",
     .model_type = "clip_vision_model",
     .class_token = true,
     .pre_norm = true,
     .patch_bias = false,
     .patch_size = 32,
     .hidden_size = 768,
     .heads = 12,
     .layer_norm_eps = 1e-5,
     .activation = Activation::kQuickGelu},
    {.name = "siglip",
     .model_type = "siglip_vision_model",
     .class_token = false,
     .pre_norm = false,
     .patch_bias = true,
     .patch_size = 16,
     .hidden_size = 768,
     .heads = 12,
     .layer_norm_eps = 1e-6,
     .activation = Activation::kGeluTanh},
};
// SigLIP by another name, with other defaults.
constexpr VitType kIdefics3 = {.name = "siglip",
                               .model_type = "idefics3_vision",
                               .class_token = false,
                               .pre_norm = false,
                               .patch_bias = true,
                               .patch_size = 32,
                               .hidden_size = 1152,
                               .heads = 16,
                               .layer_norm_eps = 1e-6,
                               .activation = Activation::kGeluTanh};

constexpr VitType kInternVit = {.name = "internvit",
                                .model_type = "internvl_vision",
                                .class_token = true,
                                .pre_norm = false,
                                .patch_bias = true,
                                .patch_size = 14,
                                .hidden_size = 1024,
                                .heads = 16,
                                .layer_norm_eps = 1e-6,
                                .activation = Activation::kGelu,
                                .image_size = 448,
                                .intermediate_size = 4096,
                                .layers = 24,
                                .layer_scale = true,
                                .names = &kInternVitNames};

// Of InternVL's own configuration class. Its defaults are those of the larger tower; files say all.
constexpr VitType kInternVitOwn = {.name = "internvit",
                                   .model_type = "intern_vit_6b",
                                   .class_token = true,
                                   .pre_norm = false,
                                   .patch_bias = true,
                                   .patch_size = 14,
                                   .hidden_size = 3200,
                                   .heads = 25,
                                   .layer_norm_eps = 1e-6,
                                   .activation = Activation::kGelu,
                                   .image_size = 224,
                                   .intermediate_size = 12800,
                                   .layers = 48,
                                   .layer_scale = true,
                                   .names = &kInternVitOwnNames};

// Null for a type that a file chooses.
const VitType* fixed_type(std::string_view model_type) {
  for (const VitType* type : {&kIdefics3, &kInternVit, &kInternVitOwn})
    if (model_type == type->model_type) return type;
  return nullptr;
}

const VitType& type_of(ConfigReader& r, std::string_view default_type) {
  if (const VitType* const type = fixed_type(default_type)) return *type;
  const std::string name = r.text("model_type", default_type);
  for (const VitType& type : kTypes)
    if (name == type.model_type || name == type.name) return type;
  r.fail(ErrorCode::kUnsupported,
         fmt::format("{}: model_type: expected {} or {}, found \"{}\"", r.where(),
                     kTypes[0].model_type, kTypes[1].model_type, name));
  return kTypes[0];
}

void take(const VitType& type, VitConfig& c) {
  c.name = type.name;
  c.class_token = type.class_token;
  c.pre_norm = type.pre_norm;
  c.patch_bias = type.patch_bias;
  c.layer_scale = type.layer_scale;
  c.names = type.names;
}

// Which function clip.use_gelu means: converters write it for either.
Activation gguf_gelu(const VitConfig& c) {
  return c.class_token ? Activation::kGelu : Activation::kGeluTanh;
}

// A side, or both sides, which have to be the same.
std::int64_t square(ConfigReader& r, std::string_view key, std::int64_t fallback) {
  const std::vector<std::int64_t> sides = r.integers(key, {fallback}, 1, formats::kMaxImageSide);
  if (sides.size() == 1 || (sides.size() == 2 && sides[0] == sides[1])) return sides[0];
  r.fail(ErrorCode::kUnsupported,
         fmt::format("{}: {}: expected one side or two equal ones", r.where(), key));
  return fallback;
}

// Of InternViT only the one of 300 million parameters is built in.
void check_intern_vit(ConfigReader& r, VitConfig& c) {
  const bool own = !c.names->qkv.empty();
  c.qkv_bias = own ? r.boolean("qkv_bias", false) : r.boolean("attention_bias", false);
  const bool qk_norm = own ? r.boolean("qk_normalization", true) : r.boolean("use_qk_norm", false);
  if (r.text("norm_type", own ? "rms_norm" : "layer_norm") == "layer_norm" && !qk_norm &&
      r.boolean("use_absolute_position_embeddings", true))
    return;
  r.fail(
      ErrorCode::kUnsupported,
      fmt::format("{}: norm_type, use_qk_norm, use_absolute_position_embeddings: expected "
                  "layer_norm, false and true: the tower of 6 billion parameters is not built in",
                  r.where()));
}

}  // namespace

VitConfig read_vit_config(ConfigReader& r, std::string_view default_type) {
  using formats::kMaxHidden, formats::kMaxImageSide;
  const VitType& type = type_of(r, default_type);
  VitConfig c;
  take(type, c);
  // A vision_config that is there has its own class's defaults; without one LLaVA's CLIP has
  // others.
  const bool given = r.is_given() || fixed_type(default_type) != nullptr;
  c.image_size = square(r, "image_size", given ? type.image_size : 336);
  c.patch_size = square(r, "patch_size", given ? type.patch_size : 14);
  c.channels = r.integer("num_channels", 3, 3, 3);
  c.hidden_size = r.integer("hidden_size", given ? type.hidden_size : 1024, 1, kMaxHidden);
  c.intermediate_size =
      r.integer("intermediate_size", given ? type.intermediate_size : 4096, 1, 8 * kMaxHidden);
  c.layers = r.integer("num_hidden_layers", given ? type.layers : 24, 1, formats::kMaxLayers);
  c.heads = r.integer("num_attention_heads", given ? type.heads : 16, 1, formats::kMaxHeads);
  c.layer_norm_eps = r.positive("layer_norm_eps", type.layer_norm_eps);
  c.activation = r.activation("hidden_act", type.activation);
  if (type.layer_scale) check_intern_vit(r, c);
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

Result<VitConfig> read_vit_gguf(const GgufSource& source, std::string_view kind) {
  using formats::kMaxHidden;
  const GgufMetadata& file = source.metadata;
  VitConfig c;
  // No key says which it is: the class token does.
  const VitType* const fixed = fixed_type(kind);
  take(fixed != nullptr ? *fixed : kTypes[source.has("v.class_embd") ? 0 : 1], c);
  c.qkv_bias = source.has("v.blk.0.attn_q.bias");
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
