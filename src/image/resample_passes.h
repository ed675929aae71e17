// The two passes of a resampling over rows of RGB samples; internal to src/image.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "image/resample_kernel.h"

namespace ocellus::image {

// A source row cut into its three channels, 16 bits a sample, as the horizontal pass wants it.
class PlanarRow {
 public:
  PlanarRow(int first, int count, const std::array<std::uint8_t, 3>& fill);
  // Overwrites samples [at, at + count) of the source row, where they are inside, from RGB.
  void set(int at, const std::uint8_t* rgb, int count);
  // `out`: RGB, one pixel a span of `taps`, whose sources must be within [first, first + count).
  void resample(const Taps& taps, std::uint8_t* out) const;

 private:
  int first_;
  int count_;
  std::vector<std::int16_t> samples_;  // [3, count], and as many more as zero weights may read
};

// Weighs whole rows: `row(y)` gives source row y, of which `samples` bytes are used; output row i
// goes to `out(i)`.
void resample_rows(const Taps& taps, int samples,
                   const std::function<const std::uint8_t*(int)>& row,
                   const std::function<std::uint8_t*(int)>& out);

}  // namespace ocellus::image
