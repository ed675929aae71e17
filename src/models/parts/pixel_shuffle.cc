#include "models/parts/pixel_shuffle.h"

#include <algorithm>

namespace ocellus::models {

void pixel_shuffle(tensor::ConstMatrix patches, std::int64_t side, std::int64_t block,
                   tensor::Matrix rows) {
  const std::int64_t squares = side / block;
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    const std::int64_t top = i / squares * block, left = i % squares * block;
    float* to = rows.row(i);
    for (std::int64_t y = 0; y < block; ++y) {
      for (std::int64_t x = 0; x < block; ++x)
        to = std::copy_n(patches.row((top + y) * side + left + x), patches.cols, to);
    }
  }
}

}  // namespace ocellus::models
