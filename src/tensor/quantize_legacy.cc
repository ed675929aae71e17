#include <algorithm>
#include <cmath>

#include "tensor/dtype.h"
#include "tensor/quantize.h"

namespace ocellus::tensor {
namespace {

constexpr int kValues = 32;

// The value of the largest magnitude, with its sign, becomes the lowest integer.
bool symmetric(const float* x, int half_range, int offset, QuantParts& parts) noexcept {
  float extreme = x[0];
  for (int i = 1; i < kValues; ++i)
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  const float d = extreme / static_cast<float>(-half_range);
  const float id = inverse(d), rounding = static_cast<float>(half_range) + 0.5f;
  parts.d = f32_to_f16(d);
  for (int i = 0; i < kValues; ++i) {
    const int q = static_cast<int>(x[i] * id + rounding);
    parts.q[i] = static_cast<std::int8_t>(std::clamp(q, 0, 2 * half_range - 1) - offset);
  }
  return !overflows(parts.d);
}

// From the least value to the greatest.
bool affine(const float* x, int levels, QuantParts& parts) noexcept {
  const auto [low, high] = std::minmax_element(x, x + kValues);
  const float min = *low, d = (*high - min) / static_cast<float>(levels), id = inverse(d);
  if (!std::isfinite(d)) return false;  // the range is beyond f32
  parts.d = f32_to_f16(d);
  parts.dmin = f32_to_f16(min) ^ 0x8000u;
  for (int i = 0; i < kValues; ++i) {
    const float q = (x[i] - min) * id + 0.5f;
    parts.q[i] = static_cast<std::int8_t>(
        std::clamp(static_cast<int>(std::min(q, static_cast<float>(levels))), 0, levels));
  }
  return !overflows(parts.d) && !overflows(parts.dmin);
}

}  // namespace

bool quantize_q4_0(const float* x, QuantParts& parts) noexcept { return symmetric(x, 8, 0, parts); }
bool quantize_q4_1(const float* x, QuantParts& parts) noexcept { return affine(x, 15, parts); }
bool quantize_q5_0(const float* x, QuantParts& parts) noexcept {
  return symmetric(x, 16, 16, parts);
}
bool quantize_q5_1(const float* x, QuantParts& parts) noexcept { return affine(x, 31, parts); }

bool quantize_q8_0(const float* x, QuantParts& parts) noexcept {
  float extreme = 0;
  for (int i = 0; i < kValues; ++i) extreme = std::max(extreme, std::fabs(x[i]));
  const float d = extreme / 127.0f, id = inverse(d);
  parts.d = f32_to_f16(d);
  // Halves go away from zero.
  for (int i = 0; i < kValues; ++i) parts.q[i] = static_cast<std::int8_t>(std::round(x[i] * id));
  return !overflows(parts.d);
}

}  // namespace ocellus::tensor
