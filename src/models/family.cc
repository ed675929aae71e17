#include "models/family.h"

#include <algorithm>

namespace ocellus::models {

ImageUse Model::image_use(std::size_t) const { return ImageUse::kAlone; }

std::vector<Position> Model::positions(std::span<const Segment> prompt) const {
  std::vector<Position> positions;
  std::int32_t next = 0;
  for (const Segment& segment : prompt) {
    const bool placed = segment.image && segment.plan && !segment.plan->positions.empty();
    for (std::int64_t i = 0; i < segment.size(); ++i) {
      Position p{next, next, next};
      if (placed) {
        const Position& inside =
            segment.plan->positions[static_cast<std::size_t>(segment.first_row + i)];
        for (std::size_t axis = 0; axis < p.size(); ++axis) p[axis] += inside[axis];
      } else {
        ++next;
      }
      positions.push_back(p);
    }
    if (placed) next += static_cast<std::int32_t>(segment.plan->position_span);
  }
  positions.push_back({next, next, next});
  return positions;
}

}  // namespace ocellus::models
