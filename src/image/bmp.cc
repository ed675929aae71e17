// BMP, read by hand: the format is old, small, and no library that is still looked after reads it.
#include <algorithm>
#include <array>

#include "base/result.h"
#include "image/bmp_header.h"
#include "image/codec.h"
#include "image/pixel.h"

namespace ocellus::image {
namespace {

using base::make_error;

using Colors = std::array<std::array<std::uint8_t, 3>, 256>;

// Indices beyond the palette are black, unless the palette says of each index just that grey level;
// then all are grey levels. (Pillow's reading; no index of a sound file is beyond.)
Colors make_colors(const BmpHeader& header) {
  Colors colors{};
  bool grey = true;
  const std::size_t stride = header.palette_stride;
  for (std::size_t i = 0; i < colors.size() && stride * i + 3 <= header.palette.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      colors[i][c] = static_cast<std::uint8_t>(u8_at(header.palette, stride * i + 2 - c));
      grey = grey && colors[i][c] == i;
    }
  }
  if (grey) {
    for (std::size_t i = 0; i < colors.size(); ++i) colors[i].fill(static_cast<std::uint8_t>(i));
  }
  return colors;
}

// Microsoft's run-length encoding to indices, bottom row first or last as in the file. Pillow's
// reading of it: a run stops at the end of its row, "end of line" fills the row that was begun, and
// a bitmap that ends early is an error.
Result<std::vector<std::uint8_t>> expand_rle(Bytes bytes, const BmpHeader& header) {
  const auto width = static_cast<std::size_t>(header.width);
  const std::size_t total = width * static_cast<std::size_t>(header.height);
  std::vector<std::uint8_t> out;
  out.reserve(total);
  std::size_t at = std::min(header.data, bytes.size());
  std::size_t x = 0;
  const auto put = [&](std::uint32_t index) {
    if (out.size() < total) out.push_back(static_cast<std::uint8_t>(index));
  };
  const auto nibble = [](std::uint32_t byte, std::size_t i) {
    return i % 2 == 0 ? byte >> 4 : byte & 0x0F;
  };
  while (out.size() < total && bytes.size() - at >= 2) {
    const std::size_t count = u8_at(bytes, at);
    const std::uint32_t value = u8_at(bytes, at + 1);
    at += 2;
    if (count > 0) {
      const std::size_t run = std::min(count, width - std::min(x, width));
      for (std::size_t i = 0; i < run; ++i) put(header.rle4 ? nibble(value, i) : value);
      x += run;
    } else if (value == 0) {  // end of line
      while (out.size() % width != 0) put(0);
      x = 0;
    } else if (value == 1) {  // end of bitmap
      break;
    } else if (value == 2) {  // step right and up
      if (bytes.size() - at < 2) break;
      const std::size_t step = u8_at(bytes, at) + u8_at(bytes, at + 1) * width;
      at += 2;
      out.resize(std::min(total, out.size() + step));
      x = out.size() % width;
    } else {  // indices as they are
      const std::size_t indices = std::min<std::size_t>(total - out.size(), value);
      const std::size_t wanted = header.rle4 ? (indices + 1) / 2 : indices;
      if (bytes.size() - at < wanted) break;
      for (std::size_t i = 0; i < indices; ++i) {
        put(header.rle4 ? nibble(u8_at(bytes, at + i / 2), i) : u8_at(bytes, at + i));
      }
      at += wanted;
      x += value;
      if (at % 2 != 0) at = std::min(at + 1, bytes.size());  // runs begin at even places
    }
  }
  if (out.size() < total) {
    return make_error(ErrorCode::kBadImage, "BMP: run-length data: expected {} pixels, found {}",
                      total, out.size());
  }
  return out;
}

void make_row(const BmpHeader& header, const Colors& colors, const std::uint8_t* in,
              std::uint8_t* out, int width) {
  const auto five = [](std::uint32_t v) { return static_cast<std::uint8_t>((v & 31) * 255 / 31); };
  for (int x = 0; x < width; ++x, out += 3) {
    switch (header.bits) {
      case 16: {
        const std::uint32_t v = in[2 * x] | std::uint32_t{in[2 * x + 1]} << 8;
        out[0] = five(v >> (header.green6 ? 11 : 10));
        out[1] = header.green6 ? static_cast<std::uint8_t>((v >> 5 & 63) * 255 / 63) : five(v >> 5);
        out[2] = five(v);
        break;
      }
      case 24:
        std::reverse_copy(in + 3 * x, in + 3 * x + 3, out);
        break;
      case 32: {
        const std::uint8_t* p = in + 4 * x;
        const std::array<int, 4>& at = header.channel;
        const std::uint8_t rgba[4] = {p[at[0]], p[at[1]], p[at[2]],
                                      at[3] < 0 ? std::uint8_t{255} : p[at[3]]};
        put_over_white(out, rgba);
        break;
      }
      default: {  // 1, 4, 8: the first index is in the high bits
        const int per_byte = 8 / header.bits;
        const int shift = 8 - header.bits * (x % per_byte + 1);
        const std::uint32_t mask = (1u << header.bits) - 1;
        std::copy_n(colors[(std::uint32_t{in[x / per_byte]} >> shift) & mask].data(), 3, out);
      }
    }
  }
}

}  // namespace

Result<ImageInfo> read_bmp_info(Bytes bytes, const DecodeLimits&) {
  OCELLUS_ASSIGN_OR_RETURN(const BmpHeader header, parse_bmp_header(bytes));
  ImageInfo info;
  info.width = header.width;
  info.height = header.height;
  info.bits = header.bits == 16 ? 5 : std::min(header.bits, 8);
  info.has_alpha = header.bits == 32 && header.channel[3] >= 0;
  info.color_mode = header.bits <= 8 ? "palette" : info.has_alpha ? "RGBA" : "RGB";
  return info;
}

Result<Image> decode_bmp(Bytes bytes, const ImageInfo& info, const DecodeLimits&) {
  OCELLUS_ASSIGN_OR_RETURN(BmpHeader header, parse_bmp_header(bytes));
  const auto height = static_cast<std::size_t>(info.height);
  const std::size_t line = (std::size_t(info.width) * header.bits + 7) / 8;
  std::size_t stride = (line + 3) / 4 * 4;
  std::vector<std::uint8_t> indices;
  const std::uint8_t* pixels = nullptr;
  if (header.rle) {
    OCELLUS_ASSIGN_OR_RETURN(indices, expand_rle(bytes, header));
    pixels = indices.data();
    stride = static_cast<std::size_t>(info.width);
    header.bits = 8;
  } else {
    const std::size_t wanted = header.data + stride * (height - 1) + line;
    if (bytes.size() < wanted) {
      return make_error(ErrorCode::kBadImage,
                        "BMP: the file is cut short: expected {} bytes, found {}", wanted,
                        bytes.size());
    }
    pixels = as_u8(bytes) + header.data;
  }
  const Colors colors = make_colors(header);
  Image image = make_image(info.width, info.height);
  for (int y = 0; y < info.height; ++y) {
    const int stored = header.top_down ? y : info.height - 1 - y;
    make_row(header, colors, pixels + stride * stored, image.row(y), info.width);
  }
  return image;
}

}  // namespace ocellus::image
