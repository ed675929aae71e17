#include "models/parts/grid_order.h"

#include <algorithm>

namespace ocellus::models {

std::vector<PatchPlace> patch_places(std::int64_t height, std::int64_t width, std::int64_t merge) {
  std::vector<PatchPlace> places;
  places.reserve(static_cast<std::size_t>(height * width));
  for (std::int64_t top = 0; top < height; top += merge)
    for (std::int64_t left = 0; left < width; left += merge)
      for (std::int64_t y = 0; y < merge; ++y)
        for (std::int64_t x = 0; x < merge; ++x) places.push_back({top + y, left + x});
  return places;
}

WindowOrder window_order(std::int64_t height, std::int64_t width, std::int64_t side) {
  WindowOrder windows;
  for (std::int64_t top = 0; top < height; top += side) {
    for (std::int64_t left = 0; left < width; left += side) {
      for (std::int64_t y = top; y < std::min(height, top + side); ++y)
        for (std::int64_t x = left; x < std::min(width, left + side); ++x)
          windows.order.push_back(y * width + x);
      windows.ends.push_back(std::ssize(windows.order));
    }
  }
  return windows;
}

}  // namespace ocellus::models
