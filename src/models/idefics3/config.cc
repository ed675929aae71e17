#include "models/idefics3/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "base/result.h"
#include "formats/limits.h"
#include "models/parts/gguf_image_token.h"
#include "models/parts/image_processor.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::ConfigReader;

// Of the reference's image processor, whatever a file asks for.
constexpr std::int64_t kMaxEdge = 4096;
constexpr std::int64_t kMaxTilesASide = 16;
constexpr std::int64_t kDefaultTiles = 4;  // down and across, of the published image processors

constexpr const char* kEdgeKey = "clip.vision.preproc_image_size";
constexpr const char* kScaleKey = "clip.vision.projector.scale_factor";
constexpr const char* kSplitKey = "ocellus.image_splitting";

Idefics3Config start() {
  Idefics3Config c;
  c.family = "idefics3";
  c.several_rows = true;
  c.features = {.layers = {-1}, .drop_first_row = false, .after_norm = true};
  c.images.filter = image::Filter::kLanczos;
  c.images.mean.fill(0.5);
  c.images.std.fill(0.5);
  return c;
}

Status check(const Idefics3Config& c, const std::string& where) {
  const std::int64_t side = c.tower.image_size / c.tower.patch_size;
  if (side % c.shuffle != 0) {
    return make_error(ErrorCode::kBadModel,
                      "{}: scale_factor: expected a divisor of the tower's {} patches a side, "
                      "found {}",
                      where, side, c.shuffle);
  }
  if (c.tiles_a_side() > kMaxTilesASide) {
    return make_error(ErrorCode::kBadModel,
                      "{}: size.longest_edge: expected at most {} tiles of {} pixels, found {}",
                      where, kMaxTilesASide, c.tower.image_size, c.longest_edge);
  }
  return {};
}

// An object with a longest_edge, which the reference needs.
std::int64_t longest_edge(ConfigReader& r, std::string_view key, std::int64_t fallback) {
  if (!r.has(key)) return fallback;
  ConfigReader size = r.child(key);
  const std::int64_t edge = size.integer("longest_edge", 0, 1, std::int64_t{1} << 20);
  if (edge == 0 && size.status())
    size.fail(ErrorCode::kUnsupported, size.where() + ": expected longest_edge");
  r.join(size);
  return edge;
}

Status read_files(const Checkpoint& checkpoint, Idefics3Config& c) {
  OCELLUS_ASSIGN_OR_RETURN(const ImageProcessorFile file, ImageProcessorFile::open(checkpoint));
  ConfigReader r = file.reader();
  constexpr std::int64_t kTile = 364;
  const std::int64_t tile =
      longest_edge(r, "max_image_size", r.is_given() ? kTile : c.tower.image_size);
  c.longest_edge = longest_edge(r, "size", kDefaultTiles * tile);
  c.splits = r.boolean("do_image_splitting", true);
  read_pixel_settings(r, c.images);
  OCELLUS_RETURN_IF_ERROR(r.status());
  if (tile != c.tower.image_size) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: max_image_size.longest_edge: expected the tower's {} pixels, found {}",
                      r.where(), c.tower.image_size, tile);
  }
  c.language.tie_word_embeddings &= !has_own_head(checkpoint.tensors);
  return check(c, r.where().empty() ? checkpoint.path.string() : r.where());
}

Result<Idefics3Config> read_gguf(const Checkpoint& checkpoint) {
  const GgufSource language = checkpoint.gguf_language(), tower = checkpoint.gguf_tower();
  const formats::GgufMetadata& file = tower.metadata;
  Idefics3Config c = start();
  OCELLUS_ASSIGN_OR_RETURN(c.language, read_decoder_gguf(language));
  OCELLUS_ASSIGN_OR_RETURN(const TokenIds ids,
                           read_token_ids_gguf(language, c.language.vocab_size));
  OCELLUS_ASSIGN_OR_RETURN(c.tower, read_vit_gguf(tower));
  c.gguf_ffn_swapped = gguf_swaps_ffn(tower, c.tower);
  OCELLUS_ASSIGN_OR_RETURN(c.shuffle, file.integer(kScaleKey, 1, formats::kMaxImageSide));
  OCELLUS_ASSIGN_OR_RETURN(
      c.longest_edge,
      file.integer_or(kEdgeKey, kDefaultTiles * c.tower.image_size, 1, std::int64_t{1} << 20));
  if (!file.has(kEdgeKey)) {
    c.assumed.push_back(fmt::format("{}: absent from {}; {}, the published {} tiles a side",
                                    kEdgeKey, file.file(), c.longest_edge, kDefaultTiles));
  }
  OCELLUS_ASSIGN_OR_RETURN(c.splits, file.boolean_or(kSplitKey, true));
  OCELLUS_RETURN_IF_ERROR(read_mean_and_std_gguf(file, c.images));
  OCELLUS_ASSIGN_OR_RETURN(c.tokens.image,
                           gguf_image_token(checkpoint, c.language.vocab_size, {"<image>"}));
  c.tokens.bos = ids.bos;
  c.tokens.eos = ids.eos;
  OCELLUS_RETURN_IF_ERROR(check(c, file.file()));
  return c;
}

}  // namespace

std::int64_t Idefics3Config::tiles_a_side() const {
  if (!splits) return 1;
  const std::int64_t edge = std::min(longest_edge, kMaxEdge);
  return (edge + tower.image_size - 1) / tower.image_size;
}

std::int64_t Idefics3Config::max_rows() const {
  const std::int64_t side = tiles_a_side();
  return (side > 1 ? side * side + 1 : 1) * tile_rows();
}

Result<Idefics3Config> parse_idefics3_config(std::string_view text, std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const formats::ConfigFile document,
                           formats::ConfigFile::parse(text, file));
  ConfigReader r = document.reader();
  Idefics3Config c = start();
  ConfigReader tower = r.child("vision_config");
  c.tower = read_vit_config(tower, "idefics3_vision");
  r.join(tower);
  ConfigReader language = r.child("text_config");
  c.language = read_decoder_config(language);
  const TokenIds ids = read_token_ids(language);
  r.join(language);
  OCELLUS_RETURN_IF_ERROR(r.status());
  c.language.tie_word_embeddings |= r.boolean("tie_word_embeddings", false);
  c.shuffle = r.integer("scale_factor", 2, 1, formats::kMaxImageSide);
  constexpr std::int64_t kImage = 128257;
  c.tokens.image = r.integer("image_token_id", kImage, 0, formats::kMaxVocabulary);
  c.tokens.pad = r.integer("pad_token_id", -1, -1, formats::kMaxVocabulary);
  c.tokens.bos = ids.bos;
  c.tokens.eos = ids.eos;
  c.longest_edge = kDefaultTiles * c.tower.image_size;
  OCELLUS_RETURN_IF_ERROR(r.status());
  OCELLUS_RETURN_IF_ERROR(check(c, std::string(file)));
  return c;
}

Result<Idefics3Config> read_idefics3_config(const Checkpoint& checkpoint) {
  if (checkpoint.gguf) return read_gguf(checkpoint);
  OCELLUS_ASSIGN_OR_RETURN(Idefics3Config c,
                           parse_idefics3_config(checkpoint.text("config.json"),
                                                 (checkpoint.path / "config.json").string()));
  OCELLUS_RETURN_IF_ERROR(read_files(checkpoint, c));
  return c;
}

Status put_idefics3_gguf(formats::GgufWriter& w, const Idefics3Config& c, std::string_view file) {
  w.put_bool("clip.has_vision_encoder", true);
  w.put_bool("clip.has_text_encoder", false);
  w.put_text("clip.projector_type", "idefics3");
  OCELLUS_RETURN_IF_ERROR(put_vit_gguf(w, c.tower, file));
  w.put_u32("clip.vision.projection_dim", static_cast<std::uint32_t>(c.language.hidden_size));
  w.put_u32(kScaleKey, static_cast<std::uint32_t>(c.shuffle));
  w.put_u32(kEdgeKey, static_cast<std::uint32_t>(c.longest_edge));
  if (!c.splits) w.put_bool(kSplitKey, false);
  put_mean_and_std_gguf(w, c.images);
  if (c.images.filter != image::Filter::kLanczos || !c.images.do_resize ||
      !is_usual_scale(c.images)) {
    base::log(base::LogLevel::kWarning,
              fmt::format("{}: how images are resized has no GGUF key: whoever reads the file does "
                          "as the published image processors do",
                          file));
  }
  return {};
}

}  // namespace ocellus::models
