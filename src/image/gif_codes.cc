#include "image/gif_codes.h"

#include <gif_lib.h>

#include <array>

#include "base/result.h"

namespace ocellus::image {

using base::make_error;

Status check_gif_codes(GifFileType* gif, int min_code_size, std::int64_t pixels) {
  constexpr int kTableSize = 4096;
  const int clear = 1 << min_code_size;
  std::array<int, kTableSize> length{};  // pixels that a code stands for
  for (int code = 0; code < clear && code < kTableSize; ++code) length[std::size_t(code)] = 1;
  int next = clear + 2;  // the code that will be defined next
  int previous = -1;     // none since the last clear code
  std::int64_t made = 0;
  while (made < pixels) {
    int code = 0;
    if (DGifGetLZCodes(gif, &code) != GIF_OK || code < 0) {
      return make_error(ErrorCode::kBadImage,
                        "GIF: the data ends too early: expected {} pixels, found {}", pixels, made);
    }
    if (code == clear) {
      next = clear + 2;
      previous = -1;
      continue;
    }
    if (previous < 0) {
      if (code > clear) {
        return make_error(ErrorCode::kBadImage,
                          "GIF: LZW code {} after a clear code: expected a colour", code);
      }
    } else {
      if (code > next || code >= kTableSize) {
        return make_error(ErrorCode::kBadImage, "GIF: LZW code: expected at most {}, found {}",
                          next, code);
      }
      if (next < kTableSize) length[std::size_t(next++)] = length[std::size_t(previous)] + 1;
    }
    made += length[std::size_t(code)];
    previous = code;
  }
  return {};
}

}  // namespace ocellus::image
