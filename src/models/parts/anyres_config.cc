#include "models/parts/anyres_config.h"

#include <fmt/format.h>

#include <charconv>

#include "base/result.h"
#include "models/parts/image_processor.h"

namespace ocellus::models {
namespace {

using formats::ConfigReader;

constexpr const char* kGridsKey = "clip.vision.image_grid_pinpoints";
constexpr const char* kMergeKey = "clip.vision.mm_patch_merge_type";
constexpr const char* kRatioKey = "clip.vision.image_aspect_ratio";
constexpr const char *kNewline = "v.image_newline", *kOlderNewline = "model.image_newline";
constexpr std::string_view kAveraged = "anyres_max_";
constexpr std::int64_t kMaxAveragedAbove = 1024;

// "anyres_max_9"; 0 for another text.
std::int64_t averaged_above(std::string_view ratio) {
  if (!ratio.starts_with(kAveraged)) return 0;
  const std::string_view digits = ratio.substr(kAveraged.size());
  std::int64_t found = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), found);
  const bool good = error == std::errc() && end == digits.data() + digits.size() && found > 0 &&
                    found <= kMaxAveragedAbove;
  return good ? found : 0;
}

// Sizes by the tower's, once the grids are read.
Status finish(AnyresModelConfig& c, const std::string& where) {
  c.anyres.tile = c.tower.image_size;
  c.anyres.patches = c.tower.image_size / c.tower.patch_size;
  if (c.feature_rows() != c.anyres.whole_rows()) {
    return base::make_error(ErrorCode::kBadModel,
                            "{}: vision_feature_select_strategy: expected one row for each of the "
                            "tower's {} patches, found {} rows",
                            where, c.anyres.whole_rows(), c.feature_rows());
  }
  return check_grids(c.anyres, where);
}

AnyresModelConfig with(const AnyresDefaults& defaults) {
  AnyresModelConfig c;
  c.family = defaults.family;
  c.several_rows = true;
  c.gguf_newline = kNewline;
  c.anyres.grids = defaults.grids;
  c.anyres.averaged_above = defaults.averaged_above;
  c.anyres.single_in_conversation = defaults.single_in_conversation;
  return c;
}

Result<AnyresModelConfig> read_gguf(const Checkpoint& checkpoint, const AnyresDefaults& defaults) {
  AnyresModelConfig c = with(defaults);
  OCELLUS_RETURN_IF_ERROR(read_mlp_tiled_gguf(checkpoint, c));
  const GgufSource tower = checkpoint.gguf_tower();
  if (tower.has(kOlderNewline)) c.gguf_newline = kOlderNewline;
  if (tower.metadata.has(kGridsKey)) {
    OCELLUS_ASSIGN_OR_RETURN(const std::vector<double> flat, tower.metadata.numbers(kGridsKey));
    c.anyres.grids = grids_of(flat);
  } else {
    c.assumed.push_back(fmt::format("{}: absent from {}; the {} that are published", kGridsKey,
                                    tower.metadata.file(), c.anyres.grids.size()));
  }
  if (c.anyres.averaged_above > 0) {
    OCELLUS_ASSIGN_OR_RETURN(const std::string ratio, tower.metadata.text_or(kRatioKey, ""));
    c.anyres.averaged_above = averaged_above(ratio);
  }
  OCELLUS_RETURN_IF_ERROR(finish(c, tower.metadata.file()));
  return c;
}

}  // namespace

Result<AnyresModelConfig> parse_anyres_config(std::string_view text, std::string_view file,
                                              const AnyresDefaults& defaults) {
  OCELLUS_ASSIGN_OR_RETURN(const formats::ConfigFile document,
                           formats::ConfigFile::parse(text, file));
  ConfigReader r = document.reader();
  AnyresModelConfig c = with(defaults);
  read_mlp_tiled_config(r, defaults.config, c);
  if (std::vector<image::Size> grids = read_grids(r); !grids.empty())
    c.anyres.grids = std::move(grids);
  if (defaults.averaged_above > 0 && r.has("vision_aspect_ratio")) {
    const std::string ratio = r.text("vision_aspect_ratio", "");
    c.anyres.averaged_above = averaged_above(ratio);
    if (c.anyres.averaged_above == 0) {
      r.fail(ErrorCode::kUnsupported,
             fmt::format("{}: vision_aspect_ratio: expected anyres_max_N with N from 1 to {}, "
                         "found \"{}\"",
                         r.where(), kMaxAveragedAbove, ratio));
    }
  }
  OCELLUS_RETURN_IF_ERROR(r.status());
  OCELLUS_RETURN_IF_ERROR(finish(c, std::string(file)));
  return c;
}

Result<AnyresModelConfig> read_anyres_config(const Checkpoint& checkpoint,
                                             const AnyresDefaults& defaults) {
  if (checkpoint.gguf) return read_gguf(checkpoint, defaults);
  OCELLUS_ASSIGN_OR_RETURN(
      AnyresModelConfig c,
      parse_anyres_config(checkpoint.text("config.json"),
                          (checkpoint.path / "config.json").string(), defaults));
  OCELLUS_RETURN_IF_ERROR(read_mlp_tiled_files(checkpoint, c));
  c.images.pad_to_square = false;  // do_pad is about batches here
  OCELLUS_ASSIGN_OR_RETURN(const ImageProcessorFile file, ImageProcessorFile::open(checkpoint));
  ConfigReader r = file.reader();
  const std::vector<image::Size> grids = read_grids(r);
  OCELLUS_RETURN_IF_ERROR(r.status());
  if (grids.empty() || grids == c.anyres.grids) return c;
  return base::make_error(ErrorCode::kBadModel,
                          "{}: image_grid_pinpoints: expected the list of config.json, found "
                          "another",
                          r.where());
}

bool is_anyres_gguf(const Checkpoint& checkpoint) {
  const GgufSource tower = checkpoint.gguf_tower();
  if (tower.has(kNewline) || tower.has(kOlderNewline)) return true;
  const auto merge =
      tower.metadata.text_or(kMergeKey, tower.metadata.has(kGridsKey) ? "any" : "flat");
  return merge && *merge != "flat";
}

bool is_averaged_anyres_gguf(const Checkpoint& checkpoint) {
  if (!is_anyres_gguf(checkpoint)) return false;
  const auto ratio = checkpoint.gguf_tower().metadata.text_or(kRatioKey, "");
  return ratio && averaged_above(*ratio) > 0;
}

Status put_anyres_gguf(formats::GgufWriter& w, const AnyresModelConfig& c, bool has_post_norm,
                       std::string_view file) {
  OCELLUS_RETURN_IF_ERROR(put_mlp_tiled_gguf(w, c, has_post_norm, file));
  std::vector<std::int32_t> flat;
  for (const image::Size& grid : c.anyres.grids) flat.insert(flat.end(), {grid.height, grid.width});
  w.put_i32s(kGridsKey, flat);
  w.put_text(kMergeKey, "spatial_unpad");
  w.put_text(kRatioKey, c.anyres.averaged_above > 0
                            ? fmt::format("{}{}", kAveraged, c.anyres.averaged_above)
                            : "anyres");
  return {};
}

}  // namespace ocellus::models
