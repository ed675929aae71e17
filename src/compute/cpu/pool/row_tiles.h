// How rows are cut into the heights of register tiles.
#pragma once

#include <cstdint>

namespace ocellus::compute::cpu {

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Rows cut into as few tiles as possible, all of nearly the same height: a tile of one row would
// cost as much as one of four.
class RowTiles {
 public:
  RowTiles(std::int64_t rows, int tile_rows)
      : count_(divide_up(rows, tile_rows)),
        low_(count_ == 0 ? 0 : rows / count_),
        taller_(count_ == 0 ? 0 : rows % count_) {}

  std::int64_t count() const { return count_; }
  // The first `taller_` tiles have one row more.
  std::int64_t first(std::int64_t tile) const {
    return tile * low_ + (tile < taller_ ? tile : taller_);
  }
  int rows(std::int64_t tile) const { return static_cast<int>(low_ + (tile < taller_ ? 1 : 0)); }

 private:
  std::int64_t count_, low_, taller_;
};

}  // namespace ocellus::compute::cpu
