// The blocks of a GIF file up to and past its first picture; internal to src/image.
#pragma once

#include <optional>

#include "image/bytes.h"
#include "image/image.h"

namespace ocellus::image {

struct GifBlocks {
  int canvas_width = 0;  // the logical screen, widened where the first frame extends beyond it
  int canvas_height = 0;
  int left = 0;  // the first frame, inside the canvas
  int top = 0;
  int width = 0;
  int height = 0;
  bool interlaced = false;
  std::optional<int> transparent;  // index
  Bytes palette;                   // [n, 3]; empty: indices are grey levels
  int min_code_size = 0;
  std::size_t data = 0;  // offset of the first sub-block of compressed indices
  int frames = 1;
};

// GIF89a; as lenient as Pillow about bytes between the blocks. kBadImage when the file ends
// before the first picture's data, or comments and applications exceed the limits.
Result<GifBlocks> parse_gif_blocks(Bytes bytes);

}  // namespace ocellus::image
