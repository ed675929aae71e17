// What each format offers to decode.cc; internal to src/image.
#pragma once

#include "image/bytes.h"
#include "image/image.h"

namespace ocellus::image {

// The headers alone. The size limits are checked by the caller, for all formats in one place.
Result<ImageInfo> read_jpeg_info(Bytes bytes, const DecodeLimits& limits);
Result<ImageInfo> read_png_info(Bytes bytes, const DecodeLimits& limits);
Result<ImageInfo> read_webp_info(Bytes bytes, const DecodeLimits& limits);
Result<ImageInfo> read_gif_info(Bytes bytes, const DecodeLimits& limits);
Result<ImageInfo> read_bmp_info(Bytes bytes, const DecodeLimits& limits);

// RGB over white, before orientation; info is what the function above said of the same bytes, and
// within the limits. May throw std::bad_alloc, nothing else.
Result<Image> decode_jpeg(Bytes bytes, const ImageInfo& info, const DecodeLimits& limits);
Result<Image> decode_png(Bytes bytes, const ImageInfo& info, const DecodeLimits& limits);
Result<Image> decode_webp(Bytes bytes, const ImageInfo& info, const DecodeLimits& limits);
Result<Image> decode_gif(Bytes bytes, const ImageInfo& info, const DecodeLimits& limits);
Result<Image> decode_bmp(Bytes bytes, const ImageInfo& info, const DecodeLimits& limits);

}  // namespace ocellus::image
