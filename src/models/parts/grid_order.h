// In which order the patches of a grid stand: squares that become one row of the language model one
// after the other, line by line, or window by window.
// Reference: transformers 5, vision_utils.py (get_vision_position_ids, get_vision_window_index).
#pragma once

#include <cstdint>
#include <vector>

namespace ocellus::models {

// Row and column of each patch of a grid, both multiples of `merge`, square by square.
struct PatchPlace {
  std::int64_t row, column;
};
std::vector<PatchPlace> patch_places(std::int64_t height, std::int64_t width, std::int64_t merge);

// Windows of at most `side` x `side` of the merged rows of a grid: which row stands at each place,
// and where each window ends. Windows at the right and lower edge are smaller.
struct WindowOrder {
  std::vector<std::int64_t> order, ends;
};
WindowOrder window_order(std::int64_t height, std::int64_t width, std::int64_t side);

}  // namespace ocellus::models
