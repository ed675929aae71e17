#include "models/internvl/config.h"

#include <fmt/format.h>

#include <cmath>

#include "base/result.h"
#include "formats/limits.h"
#include "models/parts/gguf_image_token.h"
#include "models/parts/image_processor.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::ConfigReader;

constexpr std::int64_t kMaxTiles = 64;
constexpr std::int64_t kImage = 151667;
constexpr std::string_view kOwnType = "internvl_chat";
constexpr const char* kScaleKey = "clip.vision.projector.scale_factor";
constexpr const char *kMinKey = "clip.vision.preproc_min_tiles",
                     *kMaxKey = "clip.vision.preproc_max_tiles";

InternVlConfig start() {
  InternVlConfig c;
  c.family = "internvl";
  c.several_rows = true;
  return c;
}

// Which hidden state of the tower; the last goes through its last norm, where it has one.
void read_features(ConfigReader& r, bool has_norm, InternVlConfig& c) {
  c.features.layers = r.integers(c.own_layout ? "select_layer" : "vision_feature_layer", {-1},
                                 -c.tower.layers - 1, c.tower.layers);
  if (c.features.layers.size() != 1) {
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: vision_feature_layer: expected one layer", r.where()));
  }
  const std::string select = r.text("vision_feature_select_strategy", "default");
  if (select != "default") {
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: vision_feature_select_strategy: expected default, found \"{}\"",
                       r.where(), select));
  }
  c.features.drop_first_row = true;
  c.features.after_norm = has_norm && c.features.layers == std::vector<std::int64_t>{-1};
}

// int(1 / ratio), where the ratio is one of whole numbers.
void read_shuffle(ConfigReader& r, InternVlConfig& c) {
  const double ratio = r.positive("downsample_ratio", 0.5);
  c.shuffle = static_cast<std::int64_t>(1 / std::min(1.0, ratio));
  const std::int64_t side = c.tower.image_size / c.tower.patch_size;
  if (std::abs(static_cast<double>(c.shuffle) * ratio - 1) < 1e-9 && side % c.shuffle == 0) return;
  r.fail(ErrorCode::kBadModel,
         fmt::format("{}: downsample_ratio: expected 1 / n for a divisor n of the tower's {} "
                     "patches a side, found {}",
                     r.where(), side, ratio));
}

Status read_files(const Checkpoint& checkpoint, InternVlConfig& c) {
  OCELLUS_ASSIGN_OR_RETURN(const ImageProcessorFile file, ImageProcessorFile::open(checkpoint));
  ConfigReader r = file.reader();
  c.min_tiles = r.integer("min_patches", 1, 0, kMaxTiles);
  c.max_tiles = r.integer("max_patches", c.max_tiles, 1, kMaxTiles);
  OCELLUS_RETURN_IF_ERROR(r.status());
  if (r.is_given()) {
    OCELLUS_ASSIGN_OR_RETURN(c.images, read_image_processor(checkpoint, c.tower));
  } else {
    set_square(c.images, c.tower.image_size);
  }
  c.language.tie_word_embeddings &= !has_own_head(checkpoint.tensors);
  return {};
}

// The id of "<IMG_CONTEXT>", which the configuration does not have.
Result<std::int64_t> own_image_token(const Checkpoint& checkpoint) {
  const std::string_view text = checkpoint.text("added_tokens.json");
  if (text.empty()) return kImage;
  OCELLUS_ASSIGN_OR_RETURN(
      const formats::ConfigFile file,
      formats::ConfigFile::parse(text, (checkpoint.path / "added_tokens.json").string()));
  ConfigReader r = file.reader();
  const std::int64_t id = r.integer("<IMG_CONTEXT>", kImage, 0, formats::kMaxVocabulary);
  OCELLUS_RETURN_IF_ERROR(r.status());
  return id;
}

// InternVL's own layout: the switches that its pictures are treated by.
void read_own_pictures(ConfigReader& r, InternVlConfig& c) {
  c.min_tiles = r.integer("min_dynamic_patch", 1, 0, kMaxTiles);
  c.max_tiles = r.integer("max_dynamic_patch", 6, 1, kMaxTiles);
  if (!r.boolean("dynamic_image_size", false)) c.max_tiles = 1;
  const std::int64_t side =
      r.integer("force_image_size", c.tower.image_size, 1, formats::kMaxImageSide);
  if ((c.max_tiles > 1 && !r.boolean("use_thumbnail", false)) ||
      r.text("ps_version", "v1") != "v2" || side != c.tower.image_size) {
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: use_thumbnail, ps_version, force_image_size: expected true, v2 and the "
                       "tower's {} pixels",
                       r.where(), c.tower.image_size));
  }
  set_square(c.images, c.tower.image_size);
  c.images.mean = {0.485, 0.456, 0.406};
  c.images.std = {0.229, 0.224, 0.225};
}

Result<InternVlConfig> read_gguf(const Checkpoint& checkpoint) {
  const GgufSource language = checkpoint.gguf_language(), tower = checkpoint.gguf_tower();
  const formats::GgufMetadata& file = tower.metadata;
  InternVlConfig c = start();
  OCELLUS_ASSIGN_OR_RETURN(c.language, read_decoder_gguf(language));
  OCELLUS_ASSIGN_OR_RETURN(const TokenIds ids,
                           read_token_ids_gguf(language, c.language.vocab_size));
  OCELLUS_ASSIGN_OR_RETURN(c.tower, read_vit_gguf(tower, "internvl_vision"));
  c.gguf_ffn_swapped = gguf_swaps_ffn(tower, c.tower);
  c.features = {
      .layers = {-1}, .drop_first_row = true, .after_norm = tower.has("v.post_ln.weight")};
  OCELLUS_ASSIGN_OR_RETURN(c.shuffle, file.integer(kScaleKey, 1, formats::kMaxImageSide));
  if (c.tower.image_size / c.tower.patch_size % c.shuffle != 0) {
    return make_error(ErrorCode::kBadModel,
                      "{}: {}: expected a divisor of the tower's {} patches a side, found {}",
                      file.file(), kScaleKey, c.tower.image_size / c.tower.patch_size, c.shuffle);
  }
  if (!file.has(kMaxKey)) {
    c.assumed.push_back(
        fmt::format("{}: absent from {}; {}, as published", kMaxKey, file.file(), c.max_tiles));
  }
  OCELLUS_ASSIGN_OR_RETURN(c.min_tiles, file.integer_or(kMinKey, c.min_tiles, 0, kMaxTiles));
  OCELLUS_ASSIGN_OR_RETURN(c.max_tiles, file.integer_or(kMaxKey, c.max_tiles, 1, kMaxTiles));
  set_square(c.images, c.tower.image_size);
  OCELLUS_RETURN_IF_ERROR(read_mean_and_std_gguf(file, c.images));
  OCELLUS_ASSIGN_OR_RETURN(c.tokens.image,
                           gguf_image_token(checkpoint, c.language.vocab_size, {"<IMG_CONTEXT>"}));
  c.tokens.bos = ids.bos;
  c.tokens.eos = ids.eos;
  return c;
}

}  // namespace

Result<InternVlConfig> parse_internvl_config(std::string_view text, std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const formats::ConfigFile document,
                           formats::ConfigFile::parse(text, file));
  ConfigReader r = document.reader();
  InternVlConfig c = start();
  c.own_layout = r.text("model_type", "") == kOwnType;
  ConfigReader tower = r.child("vision_config");
  c.tower = read_vit_config(tower, c.own_layout ? "intern_vit_6b" : "internvl_vision");
  const bool has_norm = !c.own_layout && !tower.boolean("use_mean_pooling", true);
  r.join(tower);
  ConfigReader language = r.child(c.own_layout ? "llm_config" : "text_config");
  c.language = read_decoder_config(language, "qwen2");
  const TokenIds ids = read_token_ids(language, "qwen2");
  r.join(language);
  OCELLUS_RETURN_IF_ERROR(r.status());
  c.language.tie_word_embeddings |= r.boolean("tie_word_embeddings", !c.own_layout);
  c.activation = r.activation("projector_hidden_act", tensor::Activation::kGelu);
  read_features(r, has_norm, c);
  if (c.own_layout) read_own_pictures(r, c);
  read_shuffle(r, c);
  c.tokens.image = r.integer("image_token_id", kImage, 0, formats::kMaxVocabulary);
  c.tokens.pad = r.integer("pad_token_id", -1, -1, formats::kMaxVocabulary);
  c.tokens.bos = ids.bos;
  c.tokens.eos = ids.eos;
  OCELLUS_RETURN_IF_ERROR(r.status());
  return c;
}

Result<InternVlConfig> read_internvl_config(const Checkpoint& checkpoint) {
  if (checkpoint.gguf) return read_gguf(checkpoint);
  OCELLUS_ASSIGN_OR_RETURN(InternVlConfig c,
                           parse_internvl_config(checkpoint.text("config.json"),
                                                 (checkpoint.path / "config.json").string()));
  if (c.own_layout) {
    OCELLUS_ASSIGN_OR_RETURN(c.tokens.image, own_image_token(checkpoint));
    c.language.tie_word_embeddings &= !has_own_head(checkpoint.tensors);
    return c;
  }
  OCELLUS_RETURN_IF_ERROR(read_files(checkpoint, c));
  return c;
}

Status put_internvl_gguf(formats::GgufWriter& w, const InternVlConfig& c, std::string_view file) {
  if (c.activation != tensor::Activation::kGelu) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: projector_hidden_act has no GGUF key: expected gelu, found {}", file,
                      tensor::activation_name(c.activation));
  }
  if (c.features.layers != std::vector<std::int64_t>{-1}) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: vision_feature_layer has no GGUF key: expected -1, found {}", file,
                      c.features.layers.front());
  }
  w.put_bool("clip.has_vision_encoder", true);
  w.put_bool("clip.has_text_encoder", false);
  w.put_text("clip.projector_type", "internvl");
  OCELLUS_RETURN_IF_ERROR(put_vit_gguf(w, c.tower, file));
  w.put_u32("clip.vision.projection_dim", static_cast<std::uint32_t>(c.language.hidden_size));
  w.put_u32(kScaleKey, static_cast<std::uint32_t>(c.shuffle));
  w.put_u32(kMinKey, static_cast<std::uint32_t>(c.min_tiles));
  w.put_u32(kMaxKey, static_cast<std::uint32_t>(c.max_tiles));
  put_image_processor_gguf(w, c.images, c.tower, file);
  return {};
}

}  // namespace ocellus::models
