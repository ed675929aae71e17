#include "models/parts/image_processor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "base/log.h"
#include "base/result.h"
#include "formats/config_reader.h"
#include "formats/limits.h"

namespace ocellus::models {
namespace {

using formats::ConfigFile;
using formats::ConfigReader;
using formats::GgufMetadata;
using image::PreprocessSettings;

constexpr std::int64_t kMaxResize = 16384;

// `resample` is one of Pillow's numbers.
constexpr image::Filter kFilters[] = {image::Filter::kNearest,  image::Filter::kLanczos,
                                      image::Filter::kBilinear, image::Filter::kBicubic,
                                      image::Filter::kBox,      image::Filter::kHamming};

void resize_exactly(PreprocessSettings& s, std::int64_t height, std::int64_t width) {
  s.resize_to = image::Size{static_cast<int>(height), static_cast<int>(width)};
}

void resize_shortest(PreprocessSettings& s, std::int64_t edge) {
  s.resize_to.reset();
  s.shortest_edge = static_cast<int>(edge);
}

// CLIPImageProcessor at a size: the shorter side, then the centre.
void set_clip(PreprocessSettings& s, std::int64_t side) {
  resize_shortest(s, side);
  s.do_center_crop = true;
  s.crop = {static_cast<int>(side), static_cast<int>(side)};
}

void read_size(ConfigReader& r, PreprocessSettings& s) {
  if (!r.has("size")) return;
  if (r.is_integer("size")) return resize_shortest(s, r.integer("size", 0, 1, kMaxResize));
  ConfigReader size = r.child("size");
  if (size.has("shortest_edge")) {
    resize_shortest(s, size.integer("shortest_edge", 0, 1, kMaxResize));
    if (size.has("longest_edge"))
      s.longest_edge = static_cast<int>(size.integer("longest_edge", 0, 1, kMaxResize));
  } else {
    const std::int64_t height = size.integer("height", 0, 1, kMaxResize),
                       width = size.integer("width", 0, 1, kMaxResize);
    resize_exactly(s, height, width);
    if (height == 0 || width == 0) {
      size.fail(ErrorCode::kBadModel,
                size.where() + ": expected shortest_edge, or height and width");
    }
  }
  r.join(size);
}

void read_crop(ConfigReader& r, PreprocessSettings& s) {
  using formats::kMaxImageSide;
  if (!r.has("crop_size")) return;
  if (r.is_integer("crop_size")) {
    const auto side = static_cast<int>(r.integer("crop_size", 0, 1, kMaxImageSide));
    s.crop = {side, side};
    return;
  }
  ConfigReader crop = r.child("crop_size");
  const std::int64_t edge = crop.integer("shortest_edge", 0, 1, kMaxImageSide);
  s.crop = {static_cast<int>(crop.integer("height", edge, 1, kMaxImageSide)),
            static_cast<int>(crop.integer("width", edge, 1, kMaxImageSide))};
  if (s.crop.height == 0 || s.crop.width == 0)
    crop.fail(ErrorCode::kBadModel, crop.where() + ": expected height and width");
  r.join(crop);
}

void read_three(ConfigReader& r, std::string_view key, std::span<double, 3> values, bool positive) {
  const std::vector<double> found = r.numbers(key, values.size(), positive);
  if (!found.empty()) std::ranges::copy(found, values.begin());
}

Result<PreprocessSettings> parse(ConfigReader r) {
  PreprocessSettings s;
  const std::string type =
      r.text("image_processor_type", r.text("feature_extractor_type", "CLIPImageProcessor"));
  // The classes' defaults.
  constexpr std::int64_t kSide = 224;
  if (type.starts_with("Siglip")) {
    set_square(s, kSide);
    s.mean.fill(0.5);
    s.std.fill(0.5);
  } else if (type.starts_with("LlavaOnevision") || type.starts_with("GotOcr2")) {
    set_square(s, 384);
  } else {
    set_clip(s, kSide);
  }
  read_size(r, s);
  read_crop(r, s);
  s.do_center_crop = r.boolean("do_center_crop", s.do_center_crop);
  s.pad_to_square = r.boolean("do_pad", false);
  read_pixel_settings(r, s);
  OCELLUS_RETURN_IF_ERROR(r.status());
  return s;
}

Status read_three(const GgufMetadata& file, std::string_view key, std::span<double, 3> values,
                  bool positive) {
  if (!file.has(key)) return {};
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<double> found, file.numbers(key));
  const bool good = found.size() == 3 && std::ranges::all_of(found, [&](double x) {
                      return std::isfinite(x) && (!positive || x > 0);
                    });
  if (!good) {
    return base::make_error(ErrorCode::kBadModel, "{}: {}: expected three {}numbers", file.file(),
                            key, positive ? "positive " : "");
  }
  std::ranges::copy(found, values.begin());
  return {};
}

// How the processor treats images that are not square; what ocellus.picture says.
std::string_view way_of(const PreprocessSettings& s) {
  return s.pad_to_square ? "pad" : s.do_center_crop ? "crop" : "exact";
}

// The processor that a tower's file names no keys for.
PreprocessSettings usual_settings(const VitConfig& tower) {
  PreprocessSettings s;
  set_clip(s, tower.image_size);
  if (!tower.class_token) set_square(s, tower.image_size);
  return s;
}

}  // namespace

void set_square(PreprocessSettings& s, std::int64_t side) {
  resize_exactly(s, side, side);
  s.do_center_crop = false;
}

void read_pixel_settings(ConfigReader& r, PreprocessSettings& s) {
  s.do_resize = r.boolean("do_resize", true);
  s.filter = kFilters[r.integer("resample", static_cast<std::int64_t>(s.filter), 0,
                                std::ssize(kFilters) - 1)];
  s.do_rescale = r.boolean("do_rescale", true);
  s.rescale_factor = r.positive("rescale_factor", 1.0 / 255.0);
  s.do_normalize = r.boolean("do_normalize", true);
  read_three(r, "image_mean", s.mean, false);
  read_three(r, "image_std", s.std, true);
}

Result<ImageProcessorFile> ImageProcessorFile::open(const Checkpoint& c) {
  ImageProcessorFile opened;
  for (const char* name : {"processor_config.json", "preprocessor_config.json"}) {
    const std::string_view text = c.text(name);
    if (text.empty()) continue;
    const bool is_new = name == std::string_view("processor_config.json");
    // Older ones have none of its settings.
    if (is_new && text.find("\"image_processor\"") == std::string_view::npos) continue;
    opened.file_ = (c.path / name).string();
    OCELLUS_ASSIGN_OR_RETURN(opened.document_, ConfigFile::parse(text, opened.file_));
    ConfigReader outer = opened.document_->reader();
    if (outer.has("image_processor")) outer.join(outer.child("image_processor"));
    OCELLUS_RETURN_IF_ERROR(outer.status());
    break;
  }
  return opened;
}

ConfigReader ImageProcessorFile::reader() const {
  if (!document_) return {nullptr, file_};
  ConfigReader outer = document_->reader();
  return outer.has("image_processor") ? outer.child("image_processor") : outer;
}

Result<PreprocessSettings> read_image_processor(const Checkpoint& c, const VitConfig& tower) {
  OCELLUS_ASSIGN_OR_RETURN(const ImageProcessorFile file, ImageProcessorFile::open(c));
  const ConfigReader reader = file.reader();
  if (reader.is_given()) return parse(reader);
  PreprocessSettings s;
  set_clip(s, tower.image_size);
  return s;
}

bool is_usual_scale(const PreprocessSettings& s) {
  return s.do_rescale && s.do_normalize && std::abs(s.rescale_factor * 255 - 1) < 1e-12;
}

Status read_mean_and_std_gguf(const GgufMetadata& file, PreprocessSettings& s) {
  OCELLUS_RETURN_IF_ERROR(read_three(file, "clip.vision.image_mean", s.mean, false));
  return read_three(file, "clip.vision.image_std", s.std, true);
}

Result<PreprocessSettings> read_image_processor_gguf(const GgufSource& source,
                                                     const VitConfig& tower) {
  const GgufMetadata& file = source.metadata;
  PreprocessSettings s = usual_settings(tower);
  if (file.has(kGgufPictureKey)) {
    OCELLUS_ASSIGN_OR_RETURN(const std::string way, file.text(kGgufPictureKey));
    if (way != "crop" && way != "pad" && way != "exact") {
      return base::make_error(ErrorCode::kBadModel,
                              "{}: {}: expected crop, pad or exact, found \"{}\"", file.file(),
                              kGgufPictureKey, way);
    }
    set_clip(s, tower.image_size);
    if (way == "exact") set_square(s, tower.image_size);
    s.pad_to_square = way == "pad";
  }
  OCELLUS_RETURN_IF_ERROR(read_mean_and_std_gguf(file, s));
  return s;
}

void put_mean_and_std_gguf(formats::GgufWriter& w, const PreprocessSettings& s) {
  const auto floats = [](const std::array<double, 3>& values) {
    std::array<float, 3> narrow{};
    std::ranges::transform(values, narrow.begin(), [](double x) { return static_cast<float>(x); });
    return narrow;
  };
  w.put_f32s("clip.vision.image_mean", floats(s.mean));
  w.put_f32s("clip.vision.image_std", floats(s.std));
}

void put_image_processor_gguf(formats::GgufWriter& w, const PreprocessSettings& s,
                              const VitConfig& tower, std::string_view file) {
  put_mean_and_std_gguf(w, s);
  const int side = static_cast<int>(tower.image_size);
  const image::Size square{side, side};
  const bool sized = s.do_center_crop ? !s.resize_to && s.shortest_edge == side &&
                                            !s.longest_edge && s.crop == square
                                      : s.resize_to == square;
  if (!sized || !s.do_resize || s.filter != image::Filter::kBicubic || !is_usual_scale(s)) {
    base::log(base::LogLevel::kWarning,
              fmt::format("{}: how images are resized has no GGUF key: whoever reads the file does "
                          "as the tower's processor does",
                          file));
    return;
  }
  if (way_of(s) != way_of(usual_settings(tower))) w.put_text(kGgufPictureKey, way_of(s));
}

}  // namespace ocellus::models
