// Encoded pictures to pixels: what a picture is, what it may cost, and how it is decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::image {

// 8-bit RGB, rows top to bottom without padding: rgb.size() == 3 * width * height. Value type.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  // [height, width, 3]

  const std::uint8_t* row(int y) const { return rgb.data() + std::size_t{3} * width * y; }
  std::uint8_t* row(int y) { return rgb.data() + std::size_t{3} * width * y; }
  bool operator==(const Image&) const = default;
};

// Black; width and height at least 1. Throws std::bad_alloc like any vector.
Image make_image(int width, int height);

enum class ImageFormat : std::uint8_t { kJpeg, kPng, kWebp, kGif, kBmp };

std::string_view format_name(ImageFormat format) noexcept;  // "JPEG", "PNG", "WebP", "GIF", "BMP"

// What the header says, before any pixel is decoded.
struct ImageInfo {
  ImageFormat format = ImageFormat::kPng;
  std::size_t encoded_bytes = 0;
  int width = 0;  // as stored: before orientation
  int height = 0;
  int orientation = 1;  // EXIF, 1 to 8 (TIFF 6.0 tag 274); from XMP where EXIF has none
  int frames = 1;       // pictures in the file; the first one is decoded
  bool has_alpha = false;
  bool interlaced = false;  // PNG Adam7, GIF interlace, progressive JPEG: needs more memory
  // "RGB", "RGBA", "grey", "grey+alpha", "palette", "CMYK", "YCbCr" or "YCCK".
  std::string color_mode;
  int bits = 8;  // per sample, as stored

  bool animated() const { return frames > 1; }
  bool swaps_sides() const { return orientation >= 5; }
  int oriented_width() const { return swaps_sides() ? height : width; }
  int oriented_height() const { return swaps_sides() ? width : height; }
};

// What one picture may cost. Each limit is checked before the memory or the time is spent.
struct DecodeLimits {
  std::size_t max_encoded_bytes = std::size_t{20} << 20;
  int max_side = 16'384;
  std::int64_t max_pixels = 100'000'000;
  int max_jpeg_scans = 1'000;
  // EXIF, ICC, text: one chunk, and all of them. What goes beyond is passed over, not refused.
  std::size_t max_ancillary_chunk_bytes = std::size_t{1} << 20;
  std::size_t max_ancillary_total_bytes = std::size_t{16} << 20;
  std::size_t max_memory_bytes = std::size_t{1} << 30;  // bytes_needed_to_decode()
  // Of the decoding thread; checked between rows (WebP and BMP: never).
  double max_cpu_seconds = 2.0;
};

// The picture as people see it: first frame, EXIF orientation applied, transparency composited
// onto white, CMYK and grey as RGB. Pixels equal those of Pillow's
// `ImageOps.exif_transpose(Image.open(file))`, over white, as RGB; docs/pictures.md lists the
// deliberate exceptions. The format is told by content. Errors: kBadImage naming the format, what
// was expected and what was found; kOutOfMemory. Any thread.
Result<Image> decode_image(std::span<const std::byte> bytes, const DecodeLimits& limits = {});

// Reads and checks headers only. A file that passes may still fail to decode. Any thread.
Result<ImageInfo> read_image_info(std::span<const std::byte> bytes,
                                  const DecodeLimits& limits = {});

// The most memory that decode_image takes for this picture, in bytes, the result included: what a
// process-wide budget reserves beforehand.
std::size_t bytes_needed_to_decode(const ImageInfo& info) noexcept;

}  // namespace ocellus::image
