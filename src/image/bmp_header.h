// The headers of a BMP file; internal to src/image.
#pragma once

#include <array>

#include "image/bytes.h"
#include "image/image.h"

namespace ocellus::image {

struct BmpHeader {
  int width = 0;
  int height = 0;
  bool top_down = false;
  int bits = 0;       // per pixel: 1, 4, 8, 16, 24, 32
  bool rle = false;   // palette indices, run-length encoded
  bool rle4 = false;  // ... two to a byte
  Bytes palette;      // entries of palette_stride bytes: blue, green, red
  std::size_t palette_stride = 4;
  std::size_t data = 0;  // offset of the pixels
  // For 16 bits: whether green has 6 of them. For 32 bits: which byte holds red, green, blue and
  // alpha (-1: none).
  bool green6 = false;
  std::array<int, 4> channel = {2, 1, 0, -1};
};

// Windows 3 to 5 headers (40 to 124 bytes) and the OS/2 ones (12 and 64), as far as Pillow reads
// them. kBadImage names what is cut off or not defined.
Result<BmpHeader> parse_bmp_header(Bytes bytes);

}  // namespace ocellus::image
