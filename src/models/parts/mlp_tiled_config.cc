#include "models/parts/mlp_tiled_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"
#include "formats/limits.h"
#include "models/parts/gguf_image_token.h"
#include "models/parts/image_processor.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::ConfigReader;

constexpr std::size_t kMaxFeatureLayers = 64;

void read_features(ConfigReader& r, const MlpTiledDefaults& d, MlpTiledConfig& c) {
  c.features.layers =
      r.integers("vision_feature_layer", {d.feature_layer}, -c.tower.layers - 1, c.tower.layers);
  if (c.features.layers.empty() || c.features.layers.size() > kMaxFeatureLayers) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: vision_feature_layer: expected 1 to {} layers, found {}", r.where(),
                       kMaxFeatureLayers, c.features.layers.size()));
  }
  const std::string select = r.text("vision_feature_select_strategy", d.feature_select);
  if (select != "default" && select != "full") {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: vision_feature_select_strategy: expected default or full, found \"{}\"",
                       r.where(), select));
  }
  c.features.drop_first_row = select == "default";
}

void finish_projector(MlpTiledConfig& c) {
  c.projector.in = c.feature_width();
  c.projector.out = c.language.hidden_size;
}

constexpr const char* kFeatureLayerKey = "clip.vision.feature_layer";

// Which output of the tower the projector was trained on: what the file says; else the last one of
// a file from which the converter took the layers after it, together with the norm after them; else
// LLaVA's, the last but one.
Status read_features_gguf(const GgufSource& source, MlpTiledConfig& c) {
  const formats::GgufMetadata& file = source.metadata;
  c.features.drop_first_row = c.tower.class_token;
  if (!file.has(kFeatureLayerKey)) {
    c.features.layers = {source.has("v.post_ln.weight") ? std::int64_t{-2} : c.tower.layers};
    return {};
  }
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<double> given, file.numbers(kFeatureLayerKey));
  const auto count = static_cast<double>(c.tower.layers);
  const bool good = !given.empty() && given.size() <= kMaxFeatureLayers &&
                    std::ranges::all_of(
                        given, [&](double layer) { return layer >= -count - 1 && layer <= count; });
  if (!good) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected 1 to {} layers from {} to {}",
                      file.file(), kFeatureLayerKey, kMaxFeatureLayers, -c.tower.layers - 1,
                      c.tower.layers);
  }
  c.features.layers.clear();
  for (const double layer : given) c.features.layers.push_back(static_cast<std::int64_t>(layer));
  return {};
}

Status check_pair(const GgufSource& tower, const MlpTiledConfig& c, const std::string& language) {
  const auto found = tower.tensors.find("mm.2.weight");
  if (found == tower.tensors.end())
    return make_error(ErrorCode::kBadModel, "{}: tensor mm.2.weight is missing",
                      tower.metadata.file());
  const tensor::Shape& shape = found->second.shape;
  if (shape.rank() == 2 && shape[0] == c.language.hidden_size) return {};
  return make_error(ErrorCode::kBadModel,
                    "{}: tensor mm.2.weight: expected {} rows, the width of {}, found shape {}: is "
                    "this its tower?",
                    tower.metadata.file(), c.language.hidden_size, language, shape.to_string());
}

}  // namespace

void read_mlp_tiled_config(ConfigReader& r, const MlpTiledDefaults& defaults, MlpTiledConfig& c) {
  ConfigReader tower = r.child("vision_config");
  c.tower = read_vit_config(tower, defaults.tower);
  r.join(tower);
  ConfigReader language = r.child("text_config");
  c.language = read_decoder_config(language, defaults.language);
  const TokenIds ids = read_token_ids(language, defaults.language);
  r.join(language);
  if (!r.status()) return;
  // Either place may ask for tying: transformers forwards the inner one to the outer.
  c.language.tie_word_embeddings |= r.boolean("tie_word_embeddings", false);
  c.projector.activation = r.activation("projector_hidden_act", tensor::Activation::kGelu);
  c.projector.bias = r.boolean("multimodal_projector_bias", true);
  read_features(r, defaults, c);
  finish_projector(c);
  using formats::kMaxVocabulary;
  c.tokens.image = r.integer(
      "image_token_id", r.integer("image_token_index", defaults.image_token, 0, kMaxVocabulary), 0,
      kMaxVocabulary);
  c.tokens.pad = r.integer("pad_token_id", -1, -1, kMaxVocabulary);
  c.tokens.bos = ids.bos;
  c.tokens.eos = ids.eos;
}

Status read_mlp_tiled_files(const Checkpoint& checkpoint, MlpTiledConfig& c) {
  OCELLUS_ASSIGN_OR_RETURN(c.images, read_image_processor(checkpoint, c.tower));
  c.language.tie_word_embeddings &= !has_own_head(checkpoint.tensors);
  return {};
}

Status read_mlp_tiled_gguf(const Checkpoint& checkpoint, MlpTiledConfig& c) {
  const GgufSource language = checkpoint.gguf_language(), tower = checkpoint.gguf_tower();
  OCELLUS_ASSIGN_OR_RETURN(c.language, read_decoder_gguf(language));
  OCELLUS_ASSIGN_OR_RETURN(const TokenIds ids,
                           read_token_ids_gguf(language, c.language.vocab_size));
  OCELLUS_ASSIGN_OR_RETURN(c.tower, read_vit_gguf(tower));
  c.gguf_ffn_swapped = gguf_swaps_ffn(tower, c.tower);
  OCELLUS_RETURN_IF_ERROR(read_features_gguf(tower, c));
  c.projector.bias = tower.has("mm.0.bias");
  finish_projector(c);
  OCELLUS_ASSIGN_OR_RETURN(c.images, read_image_processor_gguf(tower, c.tower));
  OCELLUS_RETURN_IF_ERROR(check_pair(tower, c, language.metadata.file()));
  OCELLUS_ASSIGN_OR_RETURN(c.tokens.image,
                           gguf_image_token(checkpoint, c.language.vocab_size, {"<image>"}));
  c.tokens.bos = ids.bos;
  c.tokens.eos = ids.eos;
  return {};
}

Status put_mlp_tiled_gguf(formats::GgufWriter& w, const MlpTiledConfig& c, bool has_post_norm,
                          std::string_view file) {
  if (c.projector.activation != tensor::Activation::kGelu) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: projector_hidden_act has no GGUF key: expected gelu, found {}", file,
                      tensor::activation_name(c.projector.activation));
  }
  if (c.features.drop_first_row != c.tower.class_token) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: vision_feature_select_strategy has no GGUF key: expected {} for this "
                      "tower, found {}",
                      file, c.tower.class_token ? "default" : "full",
                      c.features.drop_first_row ? "default" : "full");
  }
  w.put_bool("clip.has_vision_encoder", true);
  w.put_bool("clip.has_text_encoder", false);
  w.put_bool("clip.has_llava_projector", true);
  w.put_text("clip.projector_type", "mlp");
  OCELLUS_RETURN_IF_ERROR(put_vit_gguf(w, c.tower, file));
  w.put_u32("clip.vision.projection_dim", static_cast<std::uint32_t>(c.language.hidden_size));
  // LLaVA's last layer but one goes without saying, where the norm after the last is in the file.
  std::vector<std::int32_t> layers;
  for (const std::int64_t layer : c.features.layers)
    layers.push_back(static_cast<std::int32_t>(layer >= 0 ? layer : c.tower.layers + 1 + layer));
  if (!has_post_norm || layers != std::vector{static_cast<std::int32_t>(c.tower.layers - 1)})
    w.put_i32s(kFeatureLayerKey, layers);
  put_image_processor_gguf(w, c.images, c.tower, file);
  return {};
}

}  // namespace ocellus::models
