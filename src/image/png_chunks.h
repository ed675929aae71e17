// What the chunks of a PNG file say beside the pixels; internal to src/image.
#pragma once

#include <string_view>
#include <vector>

#include "image/bytes.h"
#include "image/image.h"

namespace ocellus::image {

struct PngHeader {
  int width = 0;
  int height = 0;
  int bit_depth = 0;   // 1, 2, 4, 8, 16
  int color_type = 0;  // PNG 3rd edition, table 11.1
  bool interlaced = false;
  bool has_transparency = false;  // a tRNS chunk
  int frames = 1;                 // APNG: acTL's number
  std::vector<std::byte> exif;    // eXIf, or ImageMagick's "Raw profile type exif" text
  std::vector<std::byte> xmp;
  bool has_compressed_metadata = false;  // texts that may hold either, to be inflated
};

// Walks the chunks without decompressing pixels. After the image data, junk and a missing end are
// accepted (as by Pillow), but no chunk that is cut off.
// Ancillary chunks beyond the limits are passed over. kBadImage for a damaged header, an impossible
// combination of depth and colour, or no image data.
Result<PngHeader> parse_png_chunks(Bytes bytes, const DecodeLimits& limits);

// The file with nothing before the image data but what pixels depend on: the decoder is not to
// refuse a picture for a comment. The bytes have passed parse_png_chunks().
std::vector<std::byte> png_without_metadata(Bytes bytes);

// The checksums of everything that decides about pixels, and of all else before them. The decoder
// does not reach that of the last image data. kBadImage names the chunk. The bytes have passed
// parse_png_chunks().
Status check_png_checksums(Bytes bytes);

// Takes EXIF or XMP from an inflated text, if that is what its keyword says.
void read_metadata_text(std::string_view key, Bytes text, PngHeader& header);

}  // namespace ocellus::image
