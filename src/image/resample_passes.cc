#include "image/resample_passes.h"

#include <algorithm>

namespace ocellus::image {
namespace {

// Sums of products of 16-bit numbers are taken in blocks short enough for 32 bits:
// 2048 * 255 * 2047 < 2^31.
constexpr int kBlock = 2048;

// n is a multiple of Taps::kGroup.
std::int32_t dot(const std::int16_t* a, const std::int16_t* b, int n) {
  std::int32_t sum = 0;
  for (int i = 0; i < n; i += Taps::kGroup) {
    for (int j = i; j < i + Taps::kGroup; ++j) sum += a[j] * b[j];
  }
  return sum;
}

// The exact weighted sum plus half; wraps around on the way where it must, and fits at the end.
std::int32_t weigh(const std::int16_t* samples, const Taps& taps, const Taps::Span& span) {
  auto sum = static_cast<std::uint32_t>(kHalf);
  const int count = span.padded();
  for (int t = 0; t < count; t += kBlock) {
    const int n = std::min(kBlock, count - t);
    const std::size_t at = span.weights + static_cast<std::size_t>(t);
    const auto high = static_cast<std::uint32_t>(dot(samples + t, taps.high.data() + at, n));
    const auto low = static_cast<std::uint32_t>(dot(samples + t, taps.low.data() + at, n));
    sum += (high << Taps::kLowBits) + low;
  }
  return static_cast<std::int32_t>(sum);
}

}  // namespace

PlanarRow::PlanarRow(int first, int count, const std::array<std::uint8_t, 3>& fill)
    : first_(first), count_(count), samples_(std::size_t{3} * count + Taps::kGroup) {
  for (std::size_t c = 0; c < 3; ++c) std::fill_n(samples_.data() + c * count, count, fill[c]);
}

void PlanarRow::set(int at, const std::uint8_t* rgb, int count) {
  const int begin = std::max(at, first_);
  const int end = std::min(at + count, first_ + count_);
  std::int16_t* red = samples_.data() + (begin - first_);
  std::int16_t* green = red + count_;
  std::int16_t* blue = green + count_;
  const std::uint8_t* from = rgb + std::ptrdiff_t{3} * (begin - at);
  for (int x = 0; x < end - begin; ++x) {
    red[x] = from[3 * x];
    green[x] = from[3 * x + 1];
    blue[x] = from[3 * x + 2];
  }
}

void PlanarRow::resample(const Taps& taps, std::uint8_t* out) const {
  for (const Taps::Span& span : taps.spans) {
    const std::int16_t* from = samples_.data() + (span.first - first_);
    for (int c = 0; c < 3; ++c)
      *out++ = clip_sum(weigh(from + std::ptrdiff_t{c} * count_, taps, span));
  }
}

void resample_rows(const Taps& taps, int samples,
                   const std::function<const std::uint8_t*(int)>& row,
                   const std::function<std::uint8_t*(int)>& out) {
  constexpr int kStrip = 1024;  // samples: two sums of 4 bytes each stay in the first cache
  std::uint32_t high[kStrip];
  std::uint32_t low[kStrip];
  for (std::size_t i = 0; i < taps.spans.size(); ++i) {
    const Taps::Span& span = taps.spans[i];
    for (int x0 = 0; x0 < samples; x0 += kStrip) {
      const int n = std::min(kStrip, samples - x0);
      std::fill_n(high, n, 0u);
      std::fill_n(low, n, static_cast<std::uint32_t>(kHalf));
      for (int t = 0; t < span.count; ++t) {
        const std::uint8_t* from = row(span.first + t) + x0;
        const std::int16_t h = taps.high[span.weights + static_cast<std::size_t>(t)];
        const std::int16_t l = taps.low[span.weights + static_cast<std::size_t>(t)];
        for (int x = 0; x < n; ++x) {
          const auto sample = static_cast<std::int16_t>(from[x]);
          high[x] += static_cast<std::uint32_t>(sample * h);
          low[x] += static_cast<std::uint32_t>(sample * l);
        }
      }
      std::uint8_t* to = out(static_cast<int>(i)) + x0;
      for (int x = 0; x < n; ++x) {
        to[x] = clip_sum(static_cast<std::int32_t>((high[x] << Taps::kLowBits) + low[x]));
      }
    }
  }
}

}  // namespace ocellus::image
