#include "models/internvl/tiling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "base/result.h"
#include "image/resize.h"

namespace ocellus::models {
namespace {

class InternVlTiling final : public Tiling {
 public:
  explicit InternVlTiling(const InternVlConfig& config)
      : settings_(config.images),
        side_(static_cast<int>(config.tower.image_size)),
        tile_rows_(config.tile_rows()),
        max_rows_(config.max_rows()),
        max_tiles_(config.max_tiles) {
    for (int across = 1; across <= max_tiles_; ++across) {
      for (int down = 1; down <= max_tiles_; ++down) {
        const int tiles = across * down;
        if (tiles <= max_tiles_ && tiles >= config.min_tiles) grids_.push_back({down, across});
      }
    }
    std::ranges::stable_sort(grids_, {}, &image_tiles);
  }

  std::int64_t max_rows() const override { return max_rows_; }
  PixelShape pixel_shape() const override { return PixelShape::kInputs; }
  const image::PreprocessSettings& settings() const override { return settings_; }

  Result<ImagePlan> plan(image::Size size, ImageUse) const override {
    const image::Size grid = grid_of(size);
    ImagePlan plan;
    plan.size = size;
    plan.canvas = {grid.height * side_, grid.width * side_};
    plan.inputs.assign(static_cast<std::size_t>(inputs_of(grid)), {side_, side_});
    plan.layout = {{.text = "<img>"}, {.rows = inputs_of(grid) * tile_rows_}, {.text = "</img>"}};
    return plan;
  }

  Result<ImageFacts> facts(image::Size size) const override {
    const image::Size grid = grid_of(size);
    const bool several = image_tiles(grid) > 1;
    return ImageFacts{.fit = "tiles",
                      .resized = {side_, side_},
                      .seen = {side_, side_},
                      .tiles = several ? grid : image::Size{},
                      .enlarged = {grid.height * side_, grid.width * side_},
                      .whole_rows = tile_rows_,
                      .rows = inputs_of(grid) * tile_rows_};
  }

  Result<std::vector<image::Image>> cut(const image::Image& picture, ImageUse) const override {
    const image::Size grid = grid_of({picture.height, picture.width});
    OCELLUS_ASSIGN_OR_RETURN(
        const image::Image canvas,
        image::resize(picture, grid.width * side_, grid.height * side_, settings_.filter));
    try {
      std::vector<image::Image> inputs;
      for (int y = 0; y < canvas.height; y += side_)
        for (int x = 0; x < canvas.width; x += side_)
          inputs.push_back(tile_at(canvas, y, x, side_));
      if (inputs.size() > 1) {
        OCELLUS_ASSIGN_OR_RETURN(image::Image whole,
                                 image::resize(picture, side_, side_, settings_.filter));
        inputs.push_back(std::move(whole));
      }
      return inputs;
    } catch (const std::bad_alloc&) {
      return base::make_error(ErrorCode::kOutOfMemory, "not enough memory for {} x {} tiles of {}",
                              grid.width, grid.height, side_);
    }
  }

 private:
  static std::int64_t image_tiles(const image::Size& grid) {
    return std::int64_t{grid.height} * grid.width;
  }
  static std::int64_t inputs_of(image::Size grid) {
    return image_tiles(grid) > 1 ? image_tiles(grid) + 1 : 1;
  }

  // Tiles down and across: the grid whose shape is nearest; of equally near ones the last that is
  // not more than twice as large as the picture.
  image::Size grid_of(image::Size size) const {
    if (max_tiles_ == 1) return {1, 1};
    const double shape = static_cast<double>(size.width) / size.height;
    const auto area = static_cast<double>(std::int64_t{size.width} * size.height),
               tile = static_cast<double>(std::int64_t{side_} * side_);
    double least = std::numeric_limits<double>::infinity();
    image::Size best{1, 1};
    for (const image::Size& grid : grids_) {
      const double off = std::abs(shape - static_cast<double>(grid.width) / grid.height);
      const bool large_enough = area > 0.5 * tile * static_cast<double>(image_tiles(grid));
      if (off > least || (off == least && !large_enough)) continue;
      least = off;
      best = grid;
    }
    return best;
  }

  image::PreprocessSettings settings_;
  int side_;
  std::int64_t tile_rows_, max_rows_, max_tiles_;
  std::vector<image::Size> grids_;  // by their number of tiles
};

}  // namespace

Result<std::unique_ptr<const Tiling>> make_internvl_tiling(const InternVlConfig& config,
                                                           const PictureOptions& options) {
  OCELLUS_RETURN_IF_ERROR(check_preprocess_is_models(options));
  OCELLUS_RETURN_IF_ERROR(check_no_minimum(options));
  InternVlConfig c = config;
  if (options.max_tiles > 0) c.max_tiles = std::min(c.max_tiles, options.max_tiles);
  while (options.max_rows > 0 && c.max_rows() > options.max_rows && c.max_tiles > 1) --c.max_tiles;
  if (options.max_rows > 0 && c.max_rows() > options.max_rows) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "image tokens: expected at least the {} that every picture takes, "
                            "found {}",
                            c.max_rows(), options.max_rows);
  }
  OCELLUS_RETURN_IF_ERROR(check_square(c.images, c.tower.image_size));
  return std::make_unique<const InternVlTiling>(c);
}

}  // namespace ocellus::models
