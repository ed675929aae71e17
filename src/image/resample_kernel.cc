#include "image/resample_kernel.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ocellus::image {
namespace {

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double weight_at(Filter filter, double x) {
  const double d = std::abs(x);
  switch (filter) {
    case Filter::kBox:
      return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case Filter::kBilinear:
      return d < 1.0 ? 1.0 - d : 0.0;
    case Filter::kHamming: {
      if (d == 0.0) return 1.0;
      if (d >= 1.0) return 0.0;
      const double t = d * std::numbers::pi;
      // The window's constants are floats in Pillow, and stay floats here.
      return std::sin(t) / t * (0.54f + 0.46f * std::cos(t));
    }
    case Filter::kBicubic: {
      constexpr double a = -0.5;
      if (d < 1.0) return ((a + 2.0) * d - (a + 3.0)) * d * d + 1;
      if (d < 2.0) return (((d - 5) * d + 8) * d - 4) * a;
      return 0.0;
    }
    case Filter::kLanczos:
      return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
    case Filter::kNearest:
      break;
  }
  return 0.0;
}

double support_of(Filter filter) {
  switch (filter) {
    case Filter::kBox:
      return 0.5;
    case Filter::kBilinear:
    case Filter::kHamming:
      return 1.0;
    case Filter::kBicubic:
      return 2.0;
    case Filter::kLanczos:
      return 3.0;
    case Filter::kNearest:
      break;
  }
  return 0.0;
}

std::int32_t to_fixed(double weight) {
  const double scaled = weight * (1 << kWeightBits);
  return static_cast<std::int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

}  // namespace

Taps make_taps(int in, std::int64_t out, Filter filter, std::int64_t begin, int count) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  // Shrinking: the filter grows with the step, so that every source sample is seen.
  const double filter_scale = std::max(scale, 1.0);
  const double support = support_of(filter) * filter_scale;
  const double inverse = 1.0 / filter_scale;

  Taps taps;
  taps.spans.reserve(static_cast<std::size_t>(count));
  std::vector<double> weights;
  for (std::int64_t i = begin; i < begin + count; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = std::min(static_cast<int>(center + support + 0.5), in);
    weights.assign(static_cast<std::size_t>(end - first), 0.0);
    double sum = 0.0;
    for (int x = first; x < end; ++x) {
      const double w = weight_at(filter, (x - center + 0.5) * inverse);
      weights[static_cast<std::size_t>(x - first)] = w;
      sum += w;
    }
    taps.spans.push_back({first, end - first, taps.high.size()});
    for (const double w : weights) {
      const std::int32_t fixed = to_fixed(sum != 0.0 ? w / sum : w);
      taps.high.push_back(static_cast<std::int16_t>(fixed >> Taps::kLowBits));
      taps.low.push_back(static_cast<std::int16_t>(fixed & ((1 << Taps::kLowBits) - 1)));
    }
    taps.high.resize(taps.spans.back().weights +
                     static_cast<std::size_t>(taps.spans.back().padded()));
    taps.low.resize(taps.high.size());
  }
  return taps;
}

std::vector<int> nearest_sources(int in, std::int64_t out, std::int64_t begin, int count) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  // Pillow starts at half a step and adds steps, so rounding errors add up as they do there.
  double at = scale * 0.5;
  for (std::int64_t i = 0; i < begin; ++i) at += scale;
  std::vector<int> sources(static_cast<std::size_t>(count));
  for (int& source : sources) {
    source = std::clamp(static_cast<int>(at), 0, in - 1);
    at += scale;
  }
  return sources;
}

}  // namespace ocellus::image
