#include "models/idefics3/tiling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "base/result.h"
#include "image/resize.h"

namespace ocellus::models {
namespace {

constexpr int kMaxEdge = 4096;
constexpr const char* kEdgeOfTile = "<fake_token_around_image>";
constexpr const char* kWhole = "<global-img>";

// int(longer / ratio) and int(longer * ratio): the other side at the picture's shape. `ratio` is of
// the sides before; wide pictures are divided by it, tall ones multiplied.
image::Size at_longest(image::Size size, int longest) {
  const double ratio = static_cast<double>(size.width) / size.height;
  if (size.width >= size.height) return {static_cast<int>(longest / ratio), longest};
  return {longest, static_cast<int>(longest * ratio)};
}

image::Size at_least_one(image::Size size) {
  return {std::max(1, size.height), std::max(1, size.width)};
}

int up_to_even(int side) { return side + side % 2; }

int up_to_tiles(int side, int tile) { return (side + tile - 1) / tile * tile; }

// The longest edge as asked for, with the other one even; then below the reference's own limit.
image::Size first_size(image::Size size, int longest) {
  const bool wide = size.width >= size.height;
  image::Size out = at_longest(size, longest);
  if (wide) {
    out.height = up_to_even(out.height);
  } else {
    out.width = up_to_even(out.width);
  }
  out = at_least_one(out);
  if (std::max(out.height, out.width) <= kMaxEdge) return out;
  return at_least_one(at_longest(out, kMaxEdge));
}

// Whole tiles: the longer edge first, the other by the shape that the picture has by now.
image::Size canvas_of(image::Size size, int tile) {
  const bool wide = size.width >= size.height;
  const int longest = up_to_tiles(std::max(size.height, size.width), tile);
  const image::Size out = at_longest(size, longest);
  return wide ? image::Size{up_to_tiles(out.height, tile), longest}
              : image::Size{longest, up_to_tiles(out.width, tile)};
}

class Idefics3Tiling final : public Tiling {
 public:
  Idefics3Tiling(const Idefics3Config& config, int longest)
      : settings_(config.images),
        tile_(static_cast<int>(config.tower.image_size)),
        longest_(longest),
        splits_(config.splits),
        tile_rows_(config.tile_rows()),
        max_rows_(config.max_rows()) {}

  std::int64_t max_rows() const override { return max_rows_; }
  PixelShape pixel_shape() const override { return PixelShape::kBatchOfInputs; }
  const image::PreprocessSettings& settings() const override { return settings_; }

  Result<ImagePlan> plan(image::Size size, ImageUse) const override {
    const image::Size tiles = tiles_of(size);
    ImagePlan plan;
    plan.size = size;
    plan.canvas = {tiles.height * tile_, tiles.width * tile_};
    for (int row = 1; row <= tiles.height; ++row) {
      for (int column = 1; column <= tiles.width; ++column) {
        plan.layout.push_back({.text = fmt::format("{}<row_{}_col_{}>", kEdgeOfTile, row, column)});
        plan.layout.push_back({.rows = tile_rows_});
      }
      plan.layout.push_back({.text = "\n"});
    }
    plan.layout.push_back(
        {.text = fmt::format("{}{}{}", tiles.height > 0 ? "\n" : "", kEdgeOfTile, kWhole)});
    plan.layout.push_back({.rows = tile_rows_});
    plan.layout.push_back({.text = kEdgeOfTile});
    plan.inputs.assign(static_cast<std::size_t>(tiles.height * tiles.width + 1), {tile_, tile_});
    return plan;
  }

  Result<ImageFacts> facts(image::Size size) const override {
    const image::Size tiles = tiles_of(size);
    return ImageFacts{.fit = "tiles",
                      .resized = {tile_, tile_},
                      .seen = {tile_, tile_},
                      .tiles = tiles,
                      .enlarged = {tiles.height * tile_, tiles.width * tile_},
                      .whole_rows = tile_rows_,
                      .rows = (std::int64_t{tiles.height} * tiles.width + 1) * tile_rows_};
  }

  Result<std::vector<image::Image>> cut(const image::Image& picture, ImageUse) const override {
    const image::Size size{picture.height, picture.width}, first = sized(size),
                                                           tiles = tiles_of(size);
    OCELLUS_ASSIGN_OR_RETURN(image::Image canvas, scaled(picture, first));
    if (splits_) {
      OCELLUS_ASSIGN_OR_RETURN(canvas, scaled(canvas, canvas_of(first, tile_)));
    }
    try {
      std::vector<image::Image> inputs;
      for (int row = 0; row < tiles.height; ++row)
        for (int column = 0; column < tiles.width; ++column)
          inputs.push_back(tile_at(canvas, row * tile_, column * tile_, tile_));
      OCELLUS_ASSIGN_OR_RETURN(image::Image whole, scaled(canvas, {tile_, tile_}));
      inputs.push_back(std::move(whole));
      return inputs;
    } catch (const std::bad_alloc&) {
      return base::make_error(ErrorCode::kOutOfMemory, "not enough memory for {} x {} tiles of {}",
                              tiles.width, tiles.height, tile_);
    }
  }

 private:
  image::Size sized(image::Size size) const {
    return settings_.do_resize ? first_size(size, longest_) : size;
  }

  // Down and across; none of a picture that fits in one input.
  image::Size tiles_of(image::Size size) const {
    if (!splits_) return {0, 0};
    const image::Size canvas = canvas_of(sized(size), tile_);
    if (canvas.height <= tile_ && canvas.width <= tile_) return {0, 0};
    return {canvas.height / tile_, canvas.width / tile_};
  }

  Result<image::Image> scaled(const image::Image& picture, image::Size size) const {
    return image::resize(picture, size.width, size.height, settings_.filter);
  }

  image::PreprocessSettings settings_;
  int tile_, longest_;
  bool splits_;
  std::int64_t tile_rows_, max_rows_;
};

}  // namespace

Result<std::unique_ptr<const Tiling>> make_idefics3_tiling(const Idefics3Config& config,
                                                           const PictureOptions& options) {
  OCELLUS_RETURN_IF_ERROR(check_preprocess_is_models(options));
  OCELLUS_RETURN_IF_ERROR(check_no_minimum(options));
  Idefics3Config c = config;
  // A picture that fills the grid has a square number of tiles.
  const auto within = [&] {
    const std::int64_t side = c.tiles_a_side();
    return (options.max_tiles == 0 || side * side <= options.max_tiles) &&
           (options.max_rows == 0 || c.max_rows() <= options.max_rows);
  };
  while (!within() && c.tiles_a_side() > 1)
    c.longest_edge = (c.tiles_a_side() - 1) * c.tower.image_size;
  if (!within()) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "image tokens: expected at least the {} that every picture takes, "
                            "found {}",
                            c.max_rows(), options.max_rows);
  }
  if (!c.images.do_resize) {
    return base::make_error(ErrorCode::kUnsupported,
                            "do_resize: expected true, found false: pictures of any size are not "
                            "bounded");
  }
  return std::make_unique<const Idefics3Tiling>(
      c, static_cast<int>(std::min<std::int64_t>(c.longest_edge, 1 << 20)));
}

}  // namespace ocellus::models
