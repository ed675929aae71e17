#include "image/png_rows.h"

#include <cstring>

#include "image/pixel.h"

namespace ocellus::image {
namespace {

constexpr int kIndexed = 3;

int channels_of(int color_type) {
  switch (color_type) {
    case 2:
      return 3;
    case 4:
      return 2;
    case 6:
      return 4;
    default:
      return 1;
  }
}

void put_grey(std::uint8_t* out, std::uint8_t value) { out[0] = out[1] = out[2] = value; }

}  // namespace

PngColors::PngColors(int color_type, int bit_depth)
    : channels_(channels_of(color_type)), depth_(bit_depth), indexed_(color_type == kIndexed) {
  for (std::uint32_t i = 0; i < 256; ++i) {
    palette_[i][3] = 255;
    set_palette(i, 0, 0, 0);
  }
}

void PngColors::set_palette(std::uint32_t index, std::uint8_t r, std::uint8_t g, std::uint8_t b) {
  if (index >= palette_.size()) return;
  palette_[index] = {r, g, b, palette_[index][3]};
  put_over_white(over_white_[index].data(), palette_[index].data());
}

void PngColors::set_palette_alpha(std::uint32_t index, std::uint8_t alpha) {
  if (index >= palette_.size()) return;
  palette_[index][3] = alpha;
  put_over_white(over_white_[index].data(), palette_[index].data());
}

void PngColors::set_transparent(std::uint32_t r, std::uint32_t g, std::uint32_t b) {
  const std::uint32_t mask = (1u << depth_) - 1;
  transparent_ = {r & mask, g & mask, b & mask};
  has_transparent_ = true;
}

std::size_t PngColors::row_bytes(int width) const {
  return (std::size_t(width) * channels_ * depth_ + 7) / 8;
}

void PngColors::make_rgb(const std::uint8_t* in, std::uint8_t* out, int width) const {
  const int bytes = depth_ == 16 ? 2 : 1;  // per sample
  const auto sample = [&](const std::uint8_t* p) -> std::uint32_t {
    return bytes == 2 ? std::uint32_t{p[0]} << 8 | p[1] : p[0];
  };
  if (channels_ == 1 && depth_ <= 8) {
    // Grey or palette; the first sample is in the high bits of a byte.
    const std::uint32_t mask = (1u << depth_) - 1;
    const std::uint32_t to_8_bits = 255 / mask;
    const int per_byte = 8 / depth_;
    for (int x = 0; x < width; ++x, out += 3) {
      const int shift = 8 - depth_ * (x % per_byte + 1);
      const std::uint32_t v = (std::uint32_t{in[x / per_byte]} >> shift) & mask;
      if (indexed_) {
        std::memcpy(out, over_white_[v].data(), 3);
      } else if (has_transparent_ && v == transparent_[0]) {
        put_grey(out, 255);
      } else {
        put_grey(out, static_cast<std::uint8_t>(v * to_8_bits));
      }
    }
    return;
  }
  const std::size_t pixel = std::size_t(channels_) * bytes;
  for (int x = 0; x < width; ++x, in += pixel, out += 3) {
    switch (channels_) {
      case 1:
        put_grey(out, has_transparent_ && sample(in) == transparent_[0] ? 255 : in[0]);
        break;
      case 2: {
        const std::uint8_t rgba[4] = {in[0], in[0], in[0], in[bytes]};
        put_over_white(out, rgba);
        break;
      }
      case 3:
        if (has_transparent_ && sample(in) == transparent_[0] &&
            sample(in + bytes) == transparent_[1] && sample(in + 2 * bytes) == transparent_[2]) {
          put_grey(out, 255);
        } else {
          for (int c = 0; c < 3; ++c) out[c] = in[c * bytes];
        }
        break;
      default: {
        const std::uint8_t rgba[4] = {in[0], in[bytes], in[2 * bytes], in[3 * bytes]};
        put_over_white(out, rgba);
      }
    }
  }
}

}  // namespace ocellus::image
