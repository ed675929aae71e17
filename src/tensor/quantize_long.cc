#include <algorithm>
#include <cmath>

#include "tensor/dtype.h"
#include "tensor/quantize.h"

namespace ocellus::tensor {
namespace {

constexpr int kValues = 128;

// To the nearest integer, ties to even; |x| is clamped to what both ends of the range can be.
float nearest(float x, float low, float high) noexcept {
  constexpr float kShift = 0x1.8p23f;
  return std::clamp((std::clamp(x, low - 1, high + 1) + kShift) - kShift, low, high);
}

// Integers for a scale, which becomes what f16 makes of it; gives the squared error.
float round_with(const float* x, float scale, float low, float high, std::uint16_t& d,
                 float* q) noexcept {
  d = f32_to_f16(scale);
  const float kept = f16_to_f32(d), inverted = inverse(kept);
  constexpr int kLanes = 16;  // sums in this many parts, so that the compiler may use vectors
  float errors[kLanes] = {};
  for (int i = 0; i < kValues; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      q[i + l] = nearest(x[i + l] * inverted, low, high);
      const float error = x[i + l] - kept * q[i + l];
      errors[l] += error * error;
    }
  }
  float total = 0;
  for (const float error : errors) total += error;
  return total;
}

// The scale of least squares for given integers.
float fitted(const float* x, const float* q) noexcept {
  float xq = 0, qq = 0;
  for (int i = 0; i < kValues; ++i) xq += x[i] * q[i], qq += q[i] * q[i];
  return qq > 0 ? xq / qq : 0;
}

float extreme_of(const float* x) noexcept {
  float extreme = x[0];
  for (int i = 1; i < kValues; ++i)
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  return extreme;
}

void put(const float* q, int bias, QuantParts& parts) noexcept {
  for (int i = 0; i < kValues; ++i)
    parts.q[i] = static_cast<std::int8_t>(q[i] + static_cast<float>(bias));
}

}  // namespace

bool quantize_q8(const float* x, QuantParts& parts) noexcept {
  const float scale = std::fabs(extreme_of(x)) / 127.0f;
  if (overflows(f32_to_f16(scale))) return false;
  float q[kValues];
  (void)round_with(x, scale, -127, 127, parts.d, q);
  put(q, 0, parts);
  return true;
}

// Clipping the few largest values costs less than a coarse step for all; how far is tried. The
// extreme's sign decides which end of -8 to 7 it takes.
bool quantize_q4(const float* x, QuantParts& parts) noexcept {
  const float extreme = extreme_of(x);
  if (overflows(f32_to_f16(extreme / -8.0f))) return false;
  float q[kValues], tried[kValues];
  std::uint16_t d = 0;
  float least_error = round_with(x, extreme / -8.0f, -8, 7, parts.d, q);
  for (int step = 1; step <= 14; ++step) {
    float scale = extreme / (-8.0f - 0.5f * static_cast<float>(step - 2));
    for (int round = 0; round < 2; ++round) {
      const float error = round_with(x, scale, -8, 7, d, tried);
      if (error < least_error) {
        least_error = error;
        parts.d = d;
        std::copy_n(tried, kValues, q);
      }
      scale = fitted(x, tried);
    }
  }
  put(q, 8, parts);
  return !overflows(parts.d);
}

}  // namespace ocellus::tensor
