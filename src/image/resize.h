// Resampling of 8-bit RGB pictures, bit for bit as Pillow does it.
//
// Method: Pillow's ImagingResample: separable convolution, the filter's support scaled when
// shrinking (antialias), weights in 22-bit fixed point, the result of the first pass rounded to 8
// bits. The horizontal pass comes first, but for pictures that lose much more height than width
// (Pillow 13; older ones differ there by single levels). `kNearest` is its affine transform,
// `floor((x + 0.5) * in / out)`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "image/image.h"
#include "ocellus/error.h"

namespace ocellus::image {

// Values are Pillow's and transformers' `resample` numbers.
enum class Filter : std::uint8_t {
  kNearest = 0,
  kLanczos = 1,
  kBilinear = 2,
  kBicubic = 3,  // a = -0.5
  kBox = 4,
  kHamming = 5,
};

// Nothing for a number that is no filter.
std::optional<Filter> parse_filter(std::int64_t number) noexcept;
std::string_view filter_name(Filter filter) noexcept;

// A rectangle of the resized picture.
struct Window {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

// A picture inside a larger, plainly coloured one; no memory is spent on the border.
struct PaddedImage {
  const Image& image;
  int width = 0;   // of the whole; >= left + image.width
  int height = 0;  // >= top + image.height
  int left = 0;    // of the picture in it
  int top = 0;
  std::array<std::uint8_t, 3> fill{};
};

// The whole picture in another size. kInvalidArgument for a side below 1, kBadImage for an empty
// source, kOutOfMemory. Any thread.
Result<Image> resize(const Image& image, int width, int height, Filter filter);

// The part `window` of the picture resized to `width` x `height`: the same pixels as resizing and
// then cutting, but time and memory are those of the window. `width` and `height` may be far larger
// than what could be held. kInvalidArgument where the window is empty or not inside.
Result<Image> resize_window(const PaddedImage& image, std::int64_t width, std::int64_t height,
                            Filter filter, const Window& window);

}  // namespace ocellus::image
