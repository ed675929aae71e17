#include "models/qwen_vl/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/result.h"
#include "formats/limits.h"
#include "models/parts/image_processor.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::ConfigReader;
using tensor::Activation;

// A picture of more is nowhere near what a context holds.
constexpr std::int64_t kMaxRows = std::int64_t{1} << 16;

constexpr GridTowerNames kNames2 = {.up = "mlp.fc1",
                                    .down = "mlp.fc2",
                                    .merger_norm = "ln_q",
                                    .merger_first = "mlp.0",
                                    .merger_second = "mlp.2"};
constexpr GridTowerNames kNames25 = {.gate = "mlp.gate_proj",
                                     .up = "mlp.up_proj",
                                     .down = "mlp.down_proj",
                                     .merger_norm = "ln_q",
                                     .merger_first = "mlp.0",
                                     .merger_second = "mlp.2"};
constexpr GridTowerNames kNames3 = {.up = "mlp.linear_fc1",
                                    .down = "mlp.linear_fc2",
                                    .merger_norm = "norm",
                                    .merger_first = "linear_fc1",
                                    .merger_second = "linear_fc2"};

GridTowerConfig read_tower_2(ConfigReader& r) {
  GridTowerConfig c;
  c.name = "qwen2-vl";
  c.names = &kNames2;
  c.layers = r.integer("depth", 32, 1, formats::kMaxLayers);
  c.hidden_size = r.integer("embed_dim", 1280, 1, formats::kMaxHidden);
  c.intermediate_size = c.hidden_size * r.integer("mlp_ratio", 4, 1, 64);
  c.out = r.integer("hidden_size", 3584, 1, formats::kMaxHidden);
  c.patch = r.integer("patch_size", 14, 1, formats::kMaxImageSide);
  c.activation = r.activation("hidden_act", Activation::kQuickGelu);
  c.gguf_qkv_apart = true;
  return c;
}

GridTowerConfig read_tower_25(ConfigReader& r) {
  GridTowerConfig c;
  c.name = "qwen2.5-vl";
  c.names = &kNames25;
  c.rms_norm = true;
  c.layers = r.integer("depth", 32, 1, formats::kMaxLayers);
  c.hidden_size = r.integer("hidden_size", 3584, 1, formats::kMaxHidden);
  c.intermediate_size = r.integer("intermediate_size", 3420, 1, 8 * formats::kMaxHidden);
  c.out = r.integer("out_hidden_size", 3584, 1, formats::kMaxHidden);
  c.patch = r.integer("patch_size", 14, 1, formats::kMaxImageSide);
  c.activation = r.activation("hidden_act", Activation::kSilu);
  c.gguf_qkv_apart = true;
  c.window = r.integer("window_size", 112, 1, 1 << 20);  // pixels until the square is known
  c.full_layers = r.integers("fullatt_block_indexes", {7, 15, 23, 31}, 0, formats::kMaxLayers);
  return c;
}

GridTowerConfig read_tower_3(ConfigReader& r) {
  GridTowerConfig c;
  c.name = "qwen3-vl";
  c.names = &kNames3;
  c.patch_bias = true;
  c.layers = r.integer("depth", 27, 1, formats::kMaxLayers);
  c.hidden_size = r.integer("hidden_size", 1152, 1, formats::kMaxHidden);
  c.intermediate_size = r.integer("intermediate_size", 4304, 1, 8 * formats::kMaxHidden);
  c.out = r.integer("out_hidden_size", 3584, 1, formats::kMaxHidden);
  c.patch = r.integer("patch_size", 16, 1, formats::kMaxImageSide);
  c.activation = r.activation("hidden_act", Activation::kGeluTanh);
  const std::int64_t positions = r.integer("num_position_embeddings", 2304, 1, 1 << 24);
  c.table_side = static_cast<std::int64_t>(std::sqrt(static_cast<double>(positions)));
  if (c.table_side * c.table_side != positions) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: num_position_embeddings: expected a square number, found {}", r.where(),
                       positions));
  }
  c.deep_layers = r.integers("deepstack_visual_indexes", {8, 16, 24}, 0, c.layers - 1);
  return c;
}

GridTowerConfig read_tower_35(ConfigReader& r) {
  GridTowerConfig c = read_tower_3(r);
  c.name = "qwen3.5";
  c.deep_layers.clear();
  return c;
}

struct Kind {
  std::string_view model_type, language;
  GridTowerConfig (*read_tower)(ConfigReader& r);
};
constexpr Kind kKinds[] = {{"qwen2_vl", "qwen2_vl_text", read_tower_2},
                           {"qwen2_5_vl", "qwen2_5_vl_text", read_tower_25},
                           {"qwen3_vl", "qwen3_vl_text", read_tower_3},
                           {"qwen3_5", "qwen3_5_text", read_tower_35}};

void finish_tower(ConfigReader& r, GridTowerConfig& c) {
  c.heads = r.integer("num_heads", 16, 1, formats::kMaxHeads);
  c.merge = r.integer("spatial_merge_size", 2, 1, 16);
  c.frames = r.integer("temporal_patch_size", 2, 1, 16);
  const std::int64_t channels = r.integer("in_channels", r.integer("in_chans", 3, 1, 16), 1, 16);
  if (c.hidden_size % c.heads != 0 || c.head_dim() % 4 != 0 || channels != 3) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: num_heads: expected heads of a multiple of 4 values, and 3 channels, "
                       "found {} heads for {}, {} channels",
                       r.where(), c.heads, c.hidden_size, channels));
  }
  if (c.window > 0) c.window = c.window / c.merge / c.patch;
  if (c.names == &kNames25 && c.window < 1) {
    r.fail(ErrorCode::kBadModel, fmt::format("{}: window_size: expected at least {} pixels",
                                             r.where(), c.merge * c.patch));
  }
}

Status read_images(const Checkpoint& checkpoint, QwenVlConfig& c) {
  OCELLUS_ASSIGN_OR_RETURN(const ImageProcessorFile file, ImageProcessorFile::open(checkpoint));
  ConfigReader r = file.reader();
  constexpr std::int64_t kMaxPixels = kMaxQwenVlPixels;
  ConfigReader size = r.child("size");
  c.min_pixels =
      r.integer("min_pixels", size.integer("shortest_edge", 56 * 56, 1, kMaxPixels), 1, kMaxPixels);
  c.max_pixels = r.integer(
      "max_pixels", size.integer("longest_edge", 28 * 28 * 1280, 1, kMaxPixels), 1, kMaxPixels);
  r.join(size);
  const std::int64_t patch = r.integer("patch_size", r.is_given() ? 14 : c.tower.patch, 1, 4096),
                     merge = r.integer("merge_size", 2, 1, 16),
                     frames = r.integer("temporal_patch_size", 2, 1, 16);
  read_pixel_settings(r, c.images);
  if (patch != c.tower.patch || merge != c.tower.merge || frames != c.tower.frames) {
    r.fail(
        ErrorCode::kBadModel,
        fmt::format("{}: patch_size, merge_size, temporal_patch_size: expected the tower's {}, "
                    "{} and {}, found {}, {} and {}",
                    r.where(), c.tower.patch, c.tower.merge, c.tower.frames, patch, merge, frames));
  }
  if (!c.images.do_resize)
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: do_resize: expected true, found false", r.where()));
  OCELLUS_RETURN_IF_ERROR(r.status());
  return check_qwen_vl_pixels(c, r.where());
}

}  // namespace

std::int64_t QwenVlConfig::max_rows() const {
  const double rows = static_cast<double>(max_pixels) / static_cast<double>(unit() * unit());
  return static_cast<std::int64_t>(std::max(rows, std::ceil(std::sqrt(kMaxAspect * rows))));
}

Status check_qwen_vl_pixels(const QwenVlConfig& c, std::string_view where) {
  const std::int64_t rows = c.max_rows();
  if (c.min_pixels <= c.max_pixels && c.max_pixels >= c.unit() * c.unit() && rows <= kMaxRows)
    return {};
  return make_error(ErrorCode::kUnsupported,
                    "{}: min_pixels, max_pixels: expected at most max_pixels, and those for 1 to "
                    "{} tokens of {} x {}, found {} and {}",
                    where, kMaxRows, c.unit(), c.unit(), c.min_pixels, c.max_pixels);
}

GridTowerConfig usual_qwen_vl_tower(std::string_view model_type) {
  const auto nothing = formats::ConfigFile::parse("{}", "");
  ConfigReader r = nothing->reader();
  return std::ranges::find(kKinds, model_type, &Kind::model_type)->read_tower(r);
}

Result<QwenVlConfig> parse_qwen_vl_config(std::string_view text, std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const formats::ConfigFile document,
                           formats::ConfigFile::parse(text, file));
  ConfigReader r = document.reader();
  const std::string type = r.text("model_type", "");
  const auto* const kind = std::ranges::find(kKinds, type, &Kind::model_type);
  if (kind == std::end(kKinds)) {
    return make_error(
        ErrorCode::kUnsupported,
        "{}: model_type: expected qwen2_vl, qwen2_5_vl, qwen3_vl or qwen3_5, found \"{}\"",
        r.where(), type);
  }
  QwenVlConfig c;
  c.family = type;
  c.several_rows = true;
  ConfigReader tower = r.child("vision_config");
  c.tower = kind->read_tower(tower);
  finish_tower(tower, c.tower);
  r.join(tower);
  // Older files have the text model's keys beside the tower's object.
  ConfigReader language = r.has("text_config") ? r.child("text_config") : r;
  c.language = read_decoder_config(language, kind->language);
  const TokenIds ids = read_token_ids(language, kind->language);
  r.join(language);
  c.language.tie_word_embeddings |= r.boolean("tie_word_embeddings", false);
  const std::int64_t usual_image = type == "qwen3_5" ? 248056 : 151655;
  c.tokens.image = r.integer("image_token_id", usual_image, 0, formats::kMaxVocabulary);
  c.tokens.pad = r.integer("pad_token_id", -1, -1, formats::kMaxVocabulary);
  c.tokens.bos = ids.bos;
  c.tokens.eos = ids.eos;
  if (r.status() && c.tower.out != c.language.hidden_size) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: vision_config: expected an output of the language model's {} values, "
                       "found {}",
                       r.where(), c.language.hidden_size, c.tower.out));
  }
  OCELLUS_RETURN_IF_ERROR(r.status());
  c.min_pixels = 56 * 56;
  c.max_pixels = 28 * 28 * 1280;
  return c;
}

Result<QwenVlConfig> read_qwen_vl_config(const Checkpoint& checkpoint) {
  if (checkpoint.gguf) return read_qwen_vl_gguf(checkpoint);
  OCELLUS_ASSIGN_OR_RETURN(QwenVlConfig c,
                           parse_qwen_vl_config(checkpoint.text("config.json"),
                                                (checkpoint.path / "config.json").string()));
  OCELLUS_RETURN_IF_ERROR(read_images(checkpoint, c));
  c.language.tie_word_embeddings &= !has_own_head(checkpoint.tensors);
  return c;
}

}  // namespace ocellus::models
