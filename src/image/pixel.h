// Arithmetic on single pixels, exactly as Pillow rounds it; internal to src/image.
#pragma once

#include <cstdint>

namespace ocellus::image {

// a * b / 255, rounded (Blinn's exact division by 255).
inline std::uint8_t multiply_255(std::uint32_t a, std::uint32_t b) {
  const std::uint32_t t = a * b + 128;
  return static_cast<std::uint8_t>(((t >> 8) + t) >> 8);
}

// One sample over white. Pillow's alpha_composite: weights in 7 extra bits, rounded divisions; over
// an opaque ground the weight of the source is alpha * 128 exactly.
inline std::uint8_t over_white(std::uint32_t value, std::uint32_t alpha) {
  const std::uint32_t weight = alpha << 7;
  const std::uint32_t sum = value * weight + 255 * ((255u << 7) - weight) + (0x80u << 7);
  return static_cast<std::uint8_t>((((sum >> 8) + sum) >> 8) >> 7);
}

inline void put_over_white(std::uint8_t* out, const std::uint8_t* rgba) {
  if (rgba[3] == 0) {
    out[0] = out[1] = out[2] = 255;
    return;
  }
  for (int c = 0; c < 3; ++c) out[c] = over_white(rgba[c], rgba[3]);
}

}  // namespace ocellus::image
