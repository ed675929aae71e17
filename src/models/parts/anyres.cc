#include "models/parts/anyres.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/result.h"
#include "formats/limits.h"

namespace ocellus::models {
namespace {

constexpr std::size_t kMaxGrids = 256;
constexpr std::int64_t kMaxTiles = 64;
// More rows than this many times the limit are averaged.
constexpr double kTolerance = 1.1;

std::int64_t tiles_of(const AnyresConfig& c, image::Size grid) {
  return grid.height / c.tile * (grid.width / c.tile);
}

// Of a picture that fills the grid; a picture with borders may come closer to the limit of
// averaging.
std::int64_t max_rows_of(const AnyresConfig& c, image::Size grid) {
  const std::int64_t height = grid.height / c.tile * c.patches,
                     width = grid.width / c.tile * c.patches;
  std::int64_t area = height * width;
  if (c.averaged_above > 0) {
    const double most =
        kTolerance * kTolerance * static_cast<double>(c.averaged_above * c.whole_rows());
    area = std::min(area, static_cast<std::int64_t>(most));
  }
  return c.whole_rows() + area + height;
}

// int(round(x, 7)) of Python: a whole number that is missed by rounding errors counts.
std::int64_t whole(double x) {
  const double below = std::floor(x);
  return static_cast<std::int64_t>(below) + (below + 1 - x <= 5e-8 ? 1 : 0);
}

// a // b of Python's floats, for positive ones.
std::int64_t floor_divide(double a, double b) {
  const double quotient = (a - std::fmod(a, b)) / b;
  const double below = std::floor(quotient);
  return static_cast<std::int64_t>(below) + (quotient - below > 0.5 ? 1 : 0);
}

image::Size fit(image::Size picture, image::Size grid) {
  const double across = static_cast<double>(grid.width) / picture.width,
               down = static_cast<double>(grid.height) / picture.height;
  if (across < down)
    return {std::min(static_cast<int>(std::ceil(picture.height * across)), grid.height),
            grid.width};
  return {grid.height, std::min(static_cast<int>(std::ceil(picture.width * down)), grid.width)};
}

}  // namespace

std::int64_t AnyresConfig::max_rows() const {
  std::int64_t most = 0;
  for (const image::Size& grid : grids) most = std::max(most, max_rows_of(*this, grid));
  return most;
}

// The one in which most of the picture's pixels survive, with the least to spare; of equals the
// first.
image::Size best_grid(const AnyresConfig& config, image::Size picture) {
  image::Size best;
  const double height = picture.height, width = picture.width;
  const auto area = std::int64_t{picture.height} * picture.width;
  std::int64_t most = 0, least_wasted = std::numeric_limits<std::int64_t>::max();
  for (const image::Size& grid : config.grids) {
    const double scale = std::min(grid.width / width, grid.height / height);
    const auto fit_width = static_cast<std::int64_t>(width * scale),
               fit_height = static_cast<std::int64_t>(height * scale);
    const std::int64_t effective = std::min(fit_width * fit_height, area),
                       wasted = std::int64_t{grid.height} * grid.width - effective;
    if (effective < most || (effective == most && wasted >= least_wasted)) continue;
    best = grid;
    most = effective;
    least_wasted = wasted;
  }
  return best;
}

AnyresLayout anyres_layout(const AnyresConfig& c, image::Size picture, image::Size grid) {
  AnyresLayout layout;
  layout.fitted = fit(picture, grid);
  layout.height = grid.height / c.tile * c.patches;
  layout.width = grid.width / c.tile * c.patches;
  // Borders are cut by the picture's own shape, not by what was fitted.
  const auto height = static_cast<double>(layout.height), width = static_cast<double>(layout.width);
  if (static_cast<double>(picture.width) / picture.height > width / height) {
    layout.top = (layout.height - whole(picture.height * (width / picture.width))) / 2;
    layout.height -= 2 * layout.top;
  } else {
    layout.left = (layout.width - whole(picture.width * (height / picture.height))) / 2;
    layout.width -= 2 * layout.left;
  }
  layout.rows = layout.height;
  layout.columns = layout.width;
  if (c.averaged_above > 0) {
    const double ratio = std::sqrt(static_cast<double>(layout.height * layout.width) /
                                   static_cast<double>(c.averaged_above * c.whole_rows()));
    if (ratio > kTolerance) {
      layout.rows = floor_divide(static_cast<double>(layout.height), ratio);
      layout.columns = floor_divide(static_cast<double>(layout.width), ratio);
    }
  }
  return layout;
}

std::vector<image::Size> read_grids(formats::ConfigReader& r) {
  std::vector<image::Size> grids;
  for (const auto& [height, width] :
       r.pairs("image_grid_pinpoints", 1, formats::kMaxImageSide * kMaxTiles, kMaxGrids))
    grids.push_back({static_cast<int>(height), static_cast<int>(width)});
  return grids;
}

std::vector<image::Size> grids_of(const std::vector<double>& flat) {
  std::vector<image::Size> grids;
  constexpr double kMax = static_cast<double>(formats::kMaxImageSide * kMaxTiles);
  const auto side = [&](double x) {
    return static_cast<int>(std::isfinite(x) ? std::clamp(x, 0.0, kMax) : 0.0);
  };
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2)
    grids.push_back({side(flat[i]), side(flat[i + 1])});
  return grids;
}

Status check_grids(const AnyresConfig& c, const std::string& where) {
  constexpr ErrorCode kBad = ErrorCode::kBadModel;
  if (c.grids.empty() || c.grids.size() > kMaxGrids) {
    return base::make_error(kBad, "{}: image_grid_pinpoints: expected 1 to {} pairs, found {}",
                            where, kMaxGrids, c.grids.size());
  }
  for (const image::Size& grid : c.grids) {
    if (grid.height > 0 && grid.width > 0 && grid.height % c.tile == 0 &&
        grid.width % c.tile == 0 && tiles_of(c, grid) <= kMaxTiles)
      continue;
    return base::make_error(kBad,
                            "{}: image_grid_pinpoints: expected multiples of the tower's {} "
                            "pixels, and at most {} tiles, found {} x {}",
                            where, c.tile, kMaxTiles, grid.height, grid.width);
  }
  return {};
}

Result<AnyresConfig> limited(const AnyresConfig& c, const PictureOptions& options) {
  AnyresConfig limited = c;
  std::erase_if(limited.grids, [&](const image::Size& grid) {
    return (options.max_tiles > 0 && tiles_of(c, grid) > options.max_tiles) ||
           (options.max_rows > 0 && max_rows_of(c, grid) > options.max_rows);
  });
  if (!limited.grids.empty()) return limited;
  const auto least =
      std::ranges::min(c.grids, {}, [&](const image::Size& grid) { return max_rows_of(c, grid); });
  return base::make_error(ErrorCode::kInvalidArgument,
                          "picture limits: expected at least {} tiles and {} tokens, the least "
                          "that this model has ({} x {} pixels)",
                          tiles_of(c, least), max_rows_of(c, least), least.width, least.height);
}

}  // namespace ocellus::models
