// The markers of a JPEG file up to its first scan; internal to src/image.
#pragma once

#include <optional>
#include <vector>

#include "image/bytes.h"
#include "image/image.h"

namespace ocellus::image {

struct JpegMarkers {
  int width = 0;
  int height = 0;
  int components = 0;
  bool progressive = false;
  bool jfif = false;
  std::optional<int> adobe_transform;  // APP14: 0 as stored, 1 YCbCr, 2 YCCK
  std::vector<std::byte> exif;         // all Exif APP1 segments, one after the other
  Bytes xmp;
};

// ISO 10918-1 annex B, read as leniently as Pillow reads it: junk between segments is skipped.
// kBadImage when a segment is cut off, no frame or scan is found, or the frame has a precision or a
// number of components that cannot be shown.
Result<JpegMarkers> parse_jpeg_markers(Bytes bytes, const DecodeLimits& limits);

}  // namespace ocellus::image
