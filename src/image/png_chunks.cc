#include "image/png_chunks.h"

#include <zlib.h>

#include <algorithm>

#include "base/result.h"

namespace ocellus::image {
namespace {

using base::make_error;

constexpr std::string_view kXmpKey("XML:com.adobe.xmp\0", 18);
constexpr std::string_view kRawExifKey("Raw profile type exif\0", 22);

bool is_depth_allowed(std::uint32_t color_type, std::uint32_t depth) {
  switch (color_type) {
    case 0:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case 3:
      return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case 2:
    case 4:
    case 6:
      return depth == 8 || depth == 16;
    default:
      return false;
  }
}

Status read_header(Bytes data, PngHeader& header) {
  if (data.size() < 13) {
    return make_error(ErrorCode::kBadImage, "PNG: IHDR: expected 13 bytes, found {}", data.size());
  }
  const std::uint32_t width = u32be(data, 0);
  const std::uint32_t height = u32be(data, 4);
  if (width > 0x7FFFFFFF || height > 0x7FFFFFFF) {
    return make_error(ErrorCode::kBadImage, "PNG: IHDR: expected sides below 2^31, found {} x {}",
                      width, height);
  }
  header.width = static_cast<int>(width);
  header.height = static_cast<int>(height);
  if (!is_depth_allowed(u8_at(data, 9), u8_at(data, 8))) {
    return make_error(ErrorCode::kBadImage, "PNG: IHDR: invalid bit depth {} for colour type {}",
                      u8_at(data, 8), u8_at(data, 9));
  }
  header.bit_depth = static_cast<int>(u8_at(data, 8));
  header.color_type = static_cast<int>(u8_at(data, 9));
  header.interlaced = u8_at(data, 12) != 0;
  return {};
}

std::vector<std::byte> copy(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

// ImageMagick's way of keeping EXIF in a text: a newline, "exif", the length, then hexadecimal.
std::vector<std::byte> parse_raw_profile(Bytes text) {
  std::size_t at = 0;
  for (int line = 0; line < 3; ++line) {
    while (at < text.size() && u8_at(text, at) != '\n') ++at;
    if (at < text.size()) ++at;
  }
  std::vector<std::byte> out;
  int high = -1;
  for (; at < text.size(); ++at) {
    const auto c = static_cast<int>(u8_at(text, at));
    int digit = 0;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      continue;
    }
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<std::byte>(high << 4 | digit));
      high = -1;
    }
  }
  return out;
}

// The value of an uncompressed iTXt chunk after its key: flags, language and translated key first.
Bytes international_text(Bytes rest) {
  if (rest.size() < 2) return {};
  rest = rest.subspan(2);
  for (int i = 0; i < 2; ++i) {
    const auto end = std::find(rest.begin(), rest.end(), std::byte{0});
    if (end == rest.end()) return {};
    rest = rest.subspan(static_cast<std::size_t>(end - rest.begin()) + 1);
  }
  return rest;
}

void read_metadata(std::string_view name, Bytes data, PngHeader& header) {
  if (name == "eXIf") {
    header.exif = copy(data);
  } else if (name == "acTL" && data.size() >= 8) {
    header.frames = static_cast<int>(std::clamp<std::uint32_t>(u32be(data, 0), 1, 1u << 30));
  } else if (name == "tEXt" && has_text(data, 0, kXmpKey)) {
    header.xmp = copy(data.subspan(kXmpKey.size()));
  } else if (name == "tEXt" && has_text(data, 0, kRawExifKey)) {
    if (header.exif.empty()) header.exif = parse_raw_profile(data.subspan(kRawExifKey.size()));
  } else if (name == "zTXt" && (has_text(data, 0, kXmpKey) || has_text(data, 0, kRawExifKey))) {
    header.has_compressed_metadata = true;
  } else if (name == "iTXt" && has_text(data, 0, kXmpKey)) {
    const Bytes rest = data.subspan(kXmpKey.size());
    const bool compressed = !rest.empty() && u8_at(rest, 0) != 0;
    if (compressed) {
      header.has_compressed_metadata = true;
    } else {
      header.xmp = copy(international_text(rest));
    }
  }
}

}  // namespace

void read_metadata_text(std::string_view key, Bytes text, PngHeader& header) {
  if (key == kXmpKey.substr(0, kXmpKey.size() - 1)) {
    header.xmp = copy(text);
  } else if (key == kRawExifKey.substr(0, kRawExifKey.size() - 1) && header.exif.empty()) {
    header.exif = parse_raw_profile(text);
  }
}

Result<PngHeader> parse_png_chunks(Bytes bytes, const DecodeLimits& limits) {
  PngHeader header;
  bool image_data = false;
  std::size_t ancillary = 0;
  std::size_t at = 8;
  while (bytes.size() - at >= 8) {
    const std::size_t length = u32be(bytes, at);
    const std::string_view name = as_text(bytes.subspan(at + 4, 4));
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (!std::all_of(name.begin(), name.end(), is_letter)) {
      if (image_data) break;
      return make_error(ErrorCode::kBadImage, "PNG: expected a chunk's name at byte {}", at + 4);
    }
    const std::size_t left = bytes.size() - at - 8;
    if (name == "IEND" && image_data) break;
    if (length > left) {
      return make_error(ErrorCode::kBadImage, "PNG: chunk {}: expected {} bytes, found {}", name,
                        length, left);
    }
    const Bytes data = bytes.subspan(at + 8, length);
    if (at == 8 && name != "IHDR") {
      return make_error(ErrorCode::kBadImage, "PNG: first chunk: expected IHDR, found {}", name);
    }
    if (name == "IHDR") {
      if (at != 8) return make_error(ErrorCode::kBadImage, "PNG: duplicate IHDR at byte {}", at);
      OCELLUS_RETURN_IF_ERROR(read_header(data, header));
    } else if (name == "IDAT") {
      image_data = true;
    } else if (name == "IEND") {
      break;  // without image data: an error below
    } else if (name == "tRNS") {
      header.has_transparency = !image_data;
    } else if (name[0] >= 'a' && name != "fdAT") {
      ancillary += length;
      if (length <= limits.max_ancillary_chunk_bytes &&
          ancillary <= limits.max_ancillary_total_bytes) {
        read_metadata(name, data, header);
      }
    }
    at += std::min(length + 12, bytes.size() - at);
  }
  if (!image_data) {
    return make_error(ErrorCode::kBadImage, "PNG: no IDAT in {} bytes", bytes.size());
  }
  return header;
}

std::vector<std::byte> png_without_metadata(Bytes bytes) {
  std::vector<std::byte> out(bytes.begin(), bytes.begin() + 8);
  std::size_t at = 8;
  while (bytes.size() - at >= 12) {
    const std::size_t length = u32be(bytes, at);
    const std::string_view name = as_text(bytes.subspan(at + 4, 4));
    if (name == "IDAT" || length > bytes.size() - at - 12) break;
    if (name[0] < 'a' || name == "tRNS") {
      const Bytes chunk = bytes.subspan(at, length + 12);
      out.insert(out.end(), chunk.begin(), chunk.end());
    }
    at += 12 + length;
  }
  out.insert(out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.end());
  return out;
}

Status check_png_checksums(Bytes bytes) {
  bool image_data = false;
  std::size_t at = 8;
  while (bytes.size() - at >= 12) {
    const std::size_t length = u32be(bytes, at);
    if (length > bytes.size() - at - 12) break;
    const std::string_view name = as_text(bytes.subspan(at + 4, 4));
    if (name == "IEND") return {};
    image_data = image_data || name == "IDAT";
    if (!image_data || name == "IDAT") {
      const std::uint32_t stored = u32be(bytes, at + 8 + length);
      const auto computed = static_cast<std::uint32_t>(
          crc32_z(0, as_u8(bytes.subspan(at + 4, 4 + length)), 4 + length));
      if (stored != computed) {
        return make_error(ErrorCode::kBadImage,
                          "PNG: chunk {} is damaged: expected checksum {:08x}, found {:08x}", name,
                          computed, stored);
      }
    }
    at += 12 + length;
  }
  return {};
}

}  // namespace ocellus::image
