#include "models/parts/tiling.h"

#include <cstring>

#include "base/result.h"

namespace ocellus::models {

image::Image tile_at(const image::Image& picture, int top, int left, int side) {
  image::Image tile = image::make_image(side, side);
  for (int y = 0; y < side; ++y) {
    std::memcpy(tile.row(y), picture.row(top + y) + std::size_t{3} * static_cast<std::size_t>(left),
                std::size_t{3} * static_cast<std::size_t>(side));
  }
  return tile;
}

Status check_square(const image::PreprocessSettings& settings, std::int64_t side) {
  const image::Size square{static_cast<int>(side), static_cast<int>(side)};
  const bool fits =
      settings.do_center_crop ? settings.crop == square : settings.resize_to == square;
  if (fits) return {};
  return base::make_error(ErrorCode::kBadModel,
                          "the image processor's size: expected the tower's {} x {} pixels, found "
                          "another",
                          side, side);
}

}  // namespace ocellus::models
