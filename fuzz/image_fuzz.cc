// Pictures: whatever the bytes, a picture of the size that was promised, or an error with a
// message.
#include <cstdint>
#include <cstdlib>

#include "image/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ocellus::image;
  const auto bytes = std::as_bytes(std::span(data, size));
  // Small, so that the fuzzer tries many pictures rather than large ones.
  DecodeLimits limits;
  limits.max_side = 2048;
  limits.max_pixels = 1 << 20;
  const auto info = read_image_info(bytes, limits);
  const auto image = decode_image(bytes, limits);
  if (!image) {
    if (image.error().message.empty()) std::abort();
    return 0;
  }
  if (!info || image->width != info->oriented_width() || image->height != info->oriented_height() ||
      image->rgb.size() !=
          std::size_t{3} * std::size_t(image->width) * std::size_t(image->height)) {
    std::abort();
  }
  PreprocessSettings settings;
  settings.shortest_edge = 16;
  settings.crop = {16, 16};
  settings.pad_to_square = size % 2 == 0;
  if (!preprocess(*image, settings)) std::abort();
  return 0;
}
