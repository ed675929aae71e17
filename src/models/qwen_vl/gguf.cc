// Qwen-VL as a GGUF pair. Reference: llama.cpp's converters (qwen2vl_merger, qwen2.5vl_merger,
// qwen3vl_merger). What its files leave out is as published: both families have one tower each.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "base/result.h"
#include "formats/limits.h"
#include "models/parts/gguf_image_token.h"
#include "models/parts/image_processor.h"
#include "models/qwen_vl/config.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::GgufMetadata;
using tensor::Activation;

constexpr const char *kMinKey = "clip.vision.image_min_pixels",
                     *kMaxKey = "clip.vision.image_max_pixels",
                     *kPatternKey = "clip.vision.n_wa_pattern",
                     *kWindowKey = "clip.vision.window_size",
                     *kMergeKey = "clip.vision.spatial_merge_size",
                     *kFramesKey = "clip.vision.temporal_patch_size";
constexpr const char *kUp = "v.blk.0.ffn_up.weight", *kDown = "v.blk.0.ffn_down.weight",
                     *kTable = "v.position_embd.weight";
constexpr std::int64_t kPublishedPattern = 8, kPublishedWindow = 112;

// A kind's name as a projector, and what its checkpoints say of pictures.
struct GgufKind {
  std::string_view projector, model_type, architecture;
  std::int64_t min_pixels, max_pixels;
};
// Qwen3.5 has Qwen3-VL's projector: the language model's file tells them apart.
constexpr GgufKind kKinds[] = {
    {"qwen2vl_merger", "qwen2_vl", "qwen2vl", 4 * 28 * 28, 16384 * 28 * 28},
    {"qwen2.5vl_merger", "qwen2_5_vl", "qwen2vl", 4 * 28 * 28, 16384 * 28 * 28},
    {"qwen3vl_merger", "qwen3_vl", "qwen3vl", 64 * 32 * 32, 16384 * 32 * 32},
    {"qwen3vl_merger", "qwen3_5", "qwen35", 64 * 32 * 32, 16384 * 32 * 32},
};

void assume(QwenVlConfig& c, const GgufMetadata& file, std::string_view key, std::int64_t value) {
  if (file.has(key)) return;
  c.assumed.push_back(fmt::format("{}: absent from {}; {}, as published", key, file.file(), value));
}

// Layers that see everything, of which every n-th is one.
std::vector<std::int64_t> every(std::int64_t n, std::int64_t layers) {
  std::vector<std::int64_t> full;
  for (std::int64_t i = n - 1; i < layers; i += n) full.push_back(i);
  return full;
}

Activation activation_of(bool gelu, bool silu) {
  if (silu) return Activation::kSilu;
  if (gelu) return Activation::kGeluTanh;
  return Activation::kQuickGelu;
}

// Sizes: of the tensors where a key may say something else.
Status read_sizes(const GgufSource& source, QwenVlConfig& c) {
  const GgufMetadata& file = source.metadata;
  GridTowerConfig& t = c.tower;
  const auto integer = [&](const char* key, std::int64_t max) {
    return file.integer(std::string("clip.vision.") + key, 1, max);
  };
  OCELLUS_ASSIGN_OR_RETURN(t.hidden_size, integer("embedding_length", formats::kMaxHidden));
  OCELLUS_ASSIGN_OR_RETURN(t.layers, integer("block_count", formats::kMaxLayers));
  OCELLUS_ASSIGN_OR_RETURN(t.heads, integer("attention.head_count", formats::kMaxHeads));
  OCELLUS_ASSIGN_OR_RETURN(t.patch, integer("patch_size", formats::kMaxImageSide));
  OCELLUS_ASSIGN_OR_RETURN(t.merge, file.integer_or(kMergeKey, 2, 1, 16));
  t.out = c.language.hidden_size;
  OCELLUS_ASSIGN_OR_RETURN(t.frames, file.integer_or(kFramesKey, 2, 1, 16));
  // An older converter's fc1 is "ffn_down".
  const std::int64_t up = source.rows(kUp), down = source.rows(kDown);
  t.gguf_ffn_swapped = t.names->gate.empty() && up == t.hidden_size && down != up;
  t.intermediate_size = t.gguf_ffn_swapped ? down : up;
  if (t.hidden_size % t.heads != 0 || t.head_dim() % 4 != 0 || t.intermediate_size < 1 ||
      t.intermediate_size > 8 * formats::kMaxHidden) {
    return make_error(ErrorCode::kBadModel,
                      "{}: clip.vision.attention.head_count, {}: expected heads of a multiple of 4 "
                      "values and 1 to {} rows, found {} heads for {}, {} rows",
                      file.file(), kUp, 8 * formats::kMaxHidden, t.heads, t.hidden_size,
                      t.intermediate_size);
  }
  return {};
}

Status read_windows(const GgufMetadata& file, QwenVlConfig& c) {
  assume(c, file, kPatternKey, kPublishedPattern);
  OCELLUS_ASSIGN_OR_RETURN(const std::int64_t pattern,
                           file.integer_or(kPatternKey, kPublishedPattern, 1, formats::kMaxLayers));
  OCELLUS_ASSIGN_OR_RETURN(const std::int64_t window,
                           file.integer_or(kWindowKey, kPublishedWindow, c.unit(), 1 << 20));
  c.tower.full_layers = every(pattern, c.tower.layers);
  c.tower.window = window / c.unit();
  return {};
}

Status read_table(const GgufSource& source, GridTowerConfig& t) {
  const std::int64_t rows = source.rows(kTable);
  t.table_side = std::max<std::int64_t>(1, std::llround(std::sqrt(static_cast<double>(rows))));
  t.deep_layers.clear();
  for (std::int64_t i = 0; i < t.layers; ++i)
    if (source.has(fmt::format("v.deepstack.{}.norm.weight", i))) t.deep_layers.push_back(i);
  if (rows == 0 || t.table_side * t.table_side == rows) return {};
  return make_error(ErrorCode::kBadModel, "{}: {}: expected a square number of rows, found {}",
                    source.metadata.file(), kTable, rows);
}

}  // namespace

Result<QwenVlConfig> read_qwen_vl_gguf(const Checkpoint& checkpoint) {
  const GgufSource language = checkpoint.gguf_language(), tower = checkpoint.gguf_tower();
  const GgufMetadata& file = tower.metadata;
  // Files with another tower besides have it by the second name.
  OCELLUS_ASSIGN_OR_RETURN(std::string projector, file.text_or("clip.projector_type", ""));
  OCELLUS_ASSIGN_OR_RETURN(projector, file.text_or("clip.vision.projector_type", projector));
  OCELLUS_ASSIGN_OR_RETURN(const std::string architecture,
                           language.metadata.text_or("general.architecture", ""));
  const auto* kind = std::ranges::find(kKinds, projector, &GgufKind::projector);
  if (kind == std::end(kKinds)) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: clip.projector_type: expected qwen2vl_merger, qwen2.5vl_merger or "
                      "qwen3vl_merger, found \"{}\"",
                      file.file(), projector);
  }
  for (const GgufKind& each : kKinds)
    if (each.projector == projector && each.architecture == architecture) kind = &each;
  QwenVlConfig c;
  c.family = kind->model_type;
  c.several_rows = true;
  c.tower = usual_qwen_vl_tower(kind->model_type);
  OCELLUS_ASSIGN_OR_RETURN(c.language, read_decoder_gguf(language));
  if (c.language.gguf_architecture != kind->architecture) {
    return make_error(ErrorCode::kBadModel,
                      "{}: general.architecture: expected {}, as {} has the projector {}, found {}",
                      language.metadata.file(), kind->architecture, file.file(), projector,
                      c.language.gguf_architecture);
  }
  OCELLUS_RETURN_IF_ERROR(read_sizes(tower, c));
  OCELLUS_ASSIGN_OR_RETURN(const bool gelu, file.boolean_or("clip.use_gelu", false));
  OCELLUS_ASSIGN_OR_RETURN(const bool silu, file.boolean_or("clip.use_silu", false));
  c.tower.activation = activation_of(gelu, silu);
  if (c.tower.window > 0) OCELLUS_RETURN_IF_ERROR(read_windows(file, c));
  if (c.tower.table_side > 0) OCELLUS_RETURN_IF_ERROR(read_table(tower, c.tower));
  assume(c, file, kMinKey, kind->min_pixels);
  assume(c, file, kMaxKey, kind->max_pixels);
  OCELLUS_ASSIGN_OR_RETURN(c.min_pixels,
                           file.integer_or(kMinKey, kind->min_pixels, 1, kMaxQwenVlPixels));
  OCELLUS_ASSIGN_OR_RETURN(c.max_pixels,
                           file.integer_or(kMaxKey, kind->max_pixels, 1, kMaxQwenVlPixels));
  OCELLUS_RETURN_IF_ERROR(check_qwen_vl_pixels(c, file.file()));
  OCELLUS_RETURN_IF_ERROR(read_mean_and_std_gguf(file, c.images));
  OCELLUS_ASSIGN_OR_RETURN(const TokenIds ids,
                           read_token_ids_gguf(language, c.language.vocab_size));
  OCELLUS_ASSIGN_OR_RETURN(c.tokens.image,
                           gguf_image_token(checkpoint, c.language.vocab_size, {"<|image_pad|>"}));
  c.tokens.bos = ids.bos;
  c.tokens.eos = ids.eos;
  return c;
}

Status put_qwen_vl_gguf(formats::GgufWriter& w, const QwenVlConfig& c, std::string_view file) {
  const auto* const kind = std::ranges::find(kKinds, c.family, &GgufKind::model_type);
  const GridTowerConfig& t = c.tower;
  const Activation usual = usual_qwen_vl_tower(c.family).activation;
  if (t.activation != usual) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: hidden_act of the tower has no GGUF key: expected {}, found {}", file,
                      tensor::activation_name(usual), tensor::activation_name(t.activation));
  }
  const std::int64_t pattern = t.full_layers.empty() ? t.layers + 1 : t.full_layers.front() + 1;
  const std::vector<std::int64_t> regular = every(pattern, t.layers);
  if (t.window > 0 && t.full_layers != regular) {
    return make_error(
        ErrorCode::kUnsupported,
        "{}: fullatt_block_indexes has a GGUF key only for every n-th layer: expected "
        "[{}], found [{}]",
        file, fmt::join(regular, ", "), fmt::join(t.full_layers, ", "));
  }
  const auto put = [&](std::string_view key, std::int64_t value) {
    w.put_u32(key, static_cast<std::uint32_t>(value));
  };
  constexpr std::int64_t kNoImageSize = 560;  // no such size, but readers want one
  w.put_bool("clip.has_vision_encoder", true);
  w.put_bool("clip.has_text_encoder", false);
  w.put_text("clip.projector_type", kind->projector);
  put("clip.vision.image_size", t.table_side > 0 ? t.table_side * t.patch : kNoImageSize);
  put("clip.vision.patch_size", t.patch);
  put("clip.vision.embedding_length", t.hidden_size);
  put("clip.vision.feed_forward_length", t.intermediate_size);
  put("clip.vision.block_count", t.layers);
  put("clip.vision.attention.head_count", t.heads);
  put("clip.vision.projection_dim", t.out);
  put(kMergeKey, t.merge);
  put(kFramesKey, t.frames);
  w.put_f32("clip.vision.attention.layer_norm_epsilon", 1e-6f);
  w.put_bool("clip.use_gelu", usual == Activation::kGeluTanh);
  w.put_bool("clip.use_silu", usual == Activation::kSilu);
  if (t.window > 0) {
    put(kPatternKey, pattern);
    put(kWindowKey, t.window * c.unit());
  }
  if (t.table_side > 0) {
    std::vector<bool> deep(static_cast<std::size_t>(t.layers));
    for (const std::int64_t layer : t.deep_layers) deep[static_cast<std::size_t>(layer)] = true;
    w.put_bools("clip.vision.is_deepstack_layers", deep);
  }
  put(kMinKey, c.min_pixels);
  put(kMaxKey, c.max_pixels);
  put_mean_and_std_gguf(w, c.images);
  if (c.images.filter != image::Filter::kBicubic || !is_usual_scale(c.images)) {
    base::log(base::LogLevel::kWarning,
              fmt::format("{}: how images are resized has no GGUF key: whoever reads the file does "
                          "as published",
                          file));
  }
  return {};
}

}  // namespace ocellus::models
