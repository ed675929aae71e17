#include "models/parts/anyres_tiling.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/result.h"
#include "image/resize.h"

namespace ocellus::models {
namespace {

// A tile of the picture in the middle of a black canvas.
image::Image cut_tile(const image::Image& fitted, int top, int left, int side) {
  image::Image tile = image::make_image(side, side);
  const int first_x = std::max(0, -left), last_x = std::min(side, fitted.width - left);
  if (first_x >= last_x) return tile;
  for (int y = std::max(0, -top); y < std::min(side, fitted.height - top); ++y) {
    std::memcpy(tile.row(y) + std::size_t{3} * static_cast<std::size_t>(first_x),
                fitted.row(top + y) + std::size_t{3} * static_cast<std::size_t>(left + first_x),
                std::size_t{3} * static_cast<std::size_t>(last_x - first_x));
  }
  return tile;
}

class AnyresTiling final : public Tiling {
 public:
  AnyresTiling(const AnyresConfig& config, const image::PreprocessSettings& settings)
      : config_(config), settings_(settings) {}

  std::int64_t max_rows() const override { return config_.max_rows(); }
  PixelShape pixel_shape() const override { return PixelShape::kPicturesOfInputs; }
  const image::PreprocessSettings& settings() const override { return settings_; }

  ImageUse use(std::size_t images) const override {
    return config_.single_in_conversation && images > 1 ? ImageUse::kOneOfSeveral
                                                        : ImageUse::kAlone;
  }

  Result<ImagePlan> plan(image::Size size, ImageUse use) const override {
    ImagePlan plan;
    plan.size = size;
    if (use == ImageUse::kOneOfSeveral) {
      plan.inputs = {{config_.tile, config_.tile}};
      plan.layout = {{.rows = config_.whole_rows() + 1}};
      return plan;
    }
    plan.canvas = best_grid(config_, size);
    const AnyresLayout layout = anyres_layout(config_, size, plan.canvas);
    const std::int64_t tiles =
        plan.canvas.height / config_.tile * (plan.canvas.width / config_.tile);
    plan.inputs.assign(static_cast<std::size_t>(1 + tiles), {config_.tile, config_.tile});
    plan.layout = {{.rows = config_.whole_rows() + layout.tile_rows()}};
    return plan;
  }

  Result<ImageFacts> facts(image::Size size) const override {
    const image::Size grid = best_grid(config_, size);
    const AnyresLayout layout = anyres_layout(config_, size, grid);
    const int side = static_cast<int>(config_.tile);
    return ImageFacts{.fit = "tiles",
                      .resized = whole_size(),
                      .seen = {side, side},
                      .tiles = {grid.height / side, grid.width / side},
                      .enlarged = layout.fitted,
                      .whole_rows = config_.whole_rows(),
                      .rows = config_.whole_rows() + layout.tile_rows()};
  }

  Result<std::vector<image::Image>> cut(const image::Image& picture, ImageUse use) const override {
    std::vector<image::Image> inputs;
    if (use == ImageUse::kOneOfSeveral) {
      image::PreprocessSettings padded = settings_;
      padded.pad_to_square = true;
      OCELLUS_ASSIGN_OR_RETURN(image::Image seen, image::resize_and_crop(picture, padded));
      inputs.push_back(std::move(seen));
      return inputs;
    }
    const image::Size size{picture.height, picture.width}, grid = best_grid(config_, size);
    const AnyresLayout layout = anyres_layout(config_, size, grid);
    const image::Size whole = whole_size();
    OCELLUS_ASSIGN_OR_RETURN(image::Image seen,
                             image::resize(picture, whole.width, whole.height, settings_.filter));
    OCELLUS_RETURN_IF_ERROR(add(inputs, seen));
    OCELLUS_ASSIGN_OR_RETURN(
        const image::Image fitted,
        image::resize(picture, layout.fitted.width, layout.fitted.height, settings_.filter));
    const int side = static_cast<int>(config_.tile), top = (grid.height - fitted.height) / 2,
              left = (grid.width - fitted.width) / 2;
    try {
      for (int y = 0; y < grid.height; y += side) {
        for (int x = 0; x < grid.width; x += side)
          OCELLUS_RETURN_IF_ERROR(add(inputs, cut_tile(fitted, y - top, x - left, side)));
      }
    } catch (const std::bad_alloc&) {
      return base::make_error(ErrorCode::kOutOfMemory, "not enough memory for tiles of {} x {}",
                              side, side);
    }
    return inputs;
  }

 private:
  // Of the whole picture, squashed, before the steps that every tile goes through.
  image::Size whole_size() const {
    if (settings_.resize_to) return *settings_.resize_to;
    return {settings_.shortest_edge, settings_.shortest_edge};
  }

  Status add(std::vector<image::Image>& inputs, const image::Image& tile) const {
    OCELLUS_ASSIGN_OR_RETURN(image::Image seen, image::resize_and_crop(tile, settings_));
    inputs.push_back(std::move(seen));
    return {};
  }

  AnyresConfig config_;
  image::PreprocessSettings settings_;
};

}  // namespace

Result<std::unique_ptr<const Tiling>> make_anyres_tiling(
    const AnyresConfig& config, const image::PreprocessSettings& settings) {
  OCELLUS_RETURN_IF_ERROR(check_square(settings, config.tile));
  return std::make_unique<const AnyresTiling>(config, settings);
}

}  // namespace ocellus::models
