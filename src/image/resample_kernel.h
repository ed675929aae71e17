// The weights of a resampling: which source samples make an output sample, and how much of each;
// internal to src/image.
#pragma once

#include <cstdint>
#include <vector>

#include "image/resize.h"

namespace ocellus::image {

// Fixed point with 22 bits after the point: 8 bits of sample, 2 of headroom for filters whose
// positive weights add up to more than 1, sum in 32 bits.
inline constexpr int kWeightBits = 22;

struct Taps {
  // Weights are padded with zeros to whole groups, so that they are summed without a remainder.
  static constexpr int kGroup = 8;

  // Per output sample: the first source sample, how many, and where the weights start.
  struct Span {
    int first;
    int count;
    std::size_t weights;

    int padded() const { return (count + kGroup - 1) / kGroup * kGroup; }
  };
  std::vector<Span> spans;
  // Each weight w as high * 2^kLowBits + low, so that sums of 16 x 16 bit products, which every
  // processor adds in pairs, give the exact 32-bit sum of w * sample.
  static constexpr int kLowBits = 11;
  std::vector<std::int16_t> high;
  std::vector<std::int16_t> low;  // 0 to 2^kLowBits - 1

  int first_source() const { return spans.front().first; }
  int last_source() const { return spans.back().first + spans.back().count; }  // exclusive
};

// For output samples [begin, begin + count) of a line of `in` samples resized to `out`. All
// arguments positive, begin + count <= out. Not for kNearest.
Taps make_taps(int in, std::int64_t out, Filter filter, std::int64_t begin, int count);

// The source samples that kNearest takes for the same range.
std::vector<int> nearest_sources(int in, std::int64_t out, std::int64_t begin, int count);

// The 8-bit sample for a sum in fixed point, started at half a unit.
inline constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);
inline std::uint8_t clip_sum(std::int32_t sum) {
  const std::int32_t value = sum >> kWeightBits;
  return static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

}  // namespace ocellus::image
