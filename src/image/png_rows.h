// Rows of PNG samples to RGB over white; internal to src/image.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ocellus::image {

// Knows a picture's colour type, depth, palette and transparent colour. 16-bit samples keep their
// high byte (as Pillow does for colour; for grey, where Pillow clips at 255, we do the same as for
// colour). A transparent colour is compared with the sample as stored, all its bits.
class PngColors {
 public:
  // The palette starts black and opaque, which is how indices beyond PLTE show in Pillow.
  PngColors(int color_type, int bit_depth);

  void set_palette(std::uint32_t index, std::uint8_t r, std::uint8_t g, std::uint8_t b);
  void set_palette_alpha(std::uint32_t index, std::uint8_t alpha);
  // Samples as stored; bits above the depth are ignored.
  void set_transparent(std::uint32_t r, std::uint32_t g, std::uint32_t b);

  std::size_t row_bytes(int width) const;
  // `in`: row_bytes(width) bytes, samples packed, big-endian. `out`: [width, 3].
  void make_rgb(const std::uint8_t* in, std::uint8_t* out, int width) const;

 private:
  int channels_;
  int depth_;
  bool indexed_;
  bool has_transparent_ = false;
  std::array<std::uint32_t, 3> transparent_{};
  std::array<std::array<std::uint8_t, 3>, 256> over_white_{};  // palette, composited
  std::array<std::array<std::uint8_t, 4>, 256> palette_{};
};

}  // namespace ocellus::image
