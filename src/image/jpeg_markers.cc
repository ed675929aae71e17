#include "image/jpeg_markers.h"

#include <string_view>

#include "base/result.h"

namespace ocellus::image {
namespace {

using base::make_error;

constexpr std::string_view kExif("Exif\0\0", 6);
constexpr std::string_view kXmp("http://ns.adobe.com/xap/1.0/\0", 29);

constexpr std::uint32_t kSos = 0xDA;
constexpr std::uint32_t kDhp = 0xDE;
constexpr std::uint32_t kApp0 = 0xE0;
constexpr std::uint32_t kApp1 = 0xE1;
constexpr std::uint32_t kApp14 = 0xEE;
constexpr std::uint32_t kCom = 0xFE;

bool is_frame(std::uint32_t marker) {
  const bool tables = marker == 0xC4 || marker == 0xC8 || marker == 0xCC;
  return (marker >= 0xC0 && marker <= 0xCF && !tables) || marker == kDhp;
}

// Restart markers, SOI, EOI and the reserved JPGn have no length.
bool stands_alone(std::uint32_t marker) {
  return marker == 0xC8 || (marker >= 0xD0 && marker <= 0xD9) || (marker >= 0xF0 && marker <= 0xFD);
}

bool is_ancillary(std::uint32_t marker) {
  return (marker >= kApp0 && marker <= 0xEF) || marker == kCom;
}

Status read_frame(std::uint32_t marker, Bytes s, JpegMarkers& out) {
  if (s.size() < 6) {
    return make_error(ErrorCode::kBadImage, "JPEG: frame header has {} bytes, expected at least 6",
                      s.size());
  }
  if (u8_at(s, 0) != 8) {
    return make_error(ErrorCode::kBadImage, "JPEG: {} bits per sample; only 8 can be read",
                      u8_at(s, 0));
  }
  out.height = static_cast<int>(u16be(s, 1));
  out.width = static_cast<int>(u16be(s, 3));
  out.components = static_cast<int>(u8_at(s, 5));
  out.progressive = marker == 0xC2 || marker == 0xC6 || marker == 0xCA || marker == 0xCE;
  if (out.components != 1 && out.components != 3 && out.components != 4) {
    return make_error(ErrorCode::kBadImage, "JPEG: {} components; expected 1, 3 or 4",
                      out.components);
  }
  return {};
}

void read_application(std::uint32_t marker, Bytes s, JpegMarkers& out) {
  if (marker == kApp0 && has_text(s, 0, "JFIF")) {
    out.jfif = true;
  } else if (marker == kApp1 && has_text(s, 0, kExif)) {
    const Bytes added = out.exif.empty() ? s : s.subspan(kExif.size());
    out.exif.insert(out.exif.end(), added.begin(), added.end());
  } else if (marker == kApp1 && has_text(s, 0, kXmp)) {
    out.xmp = s.subspan(kXmp.size());
  } else if (marker == kApp14 && has_text(s, 0, "Adobe") && s.size() > 11) {
    out.adobe_transform = static_cast<int>(u8_at(s, 11));
  }
}

}  // namespace

Result<JpegMarkers> parse_jpeg_markers(Bytes bytes, const DecodeLimits& limits) {
  JpegMarkers out;
  std::size_t ancillary = 0;
  std::size_t at = 2;  // after SOI
  const auto byte = [&](std::size_t i) { return u8_at(bytes, i); };
  while (true) {
    while (at < bytes.size() && byte(at) != 0xFF) ++at;  // junk between segments
    while (at < bytes.size() && byte(at) == 0xFF) ++at;  // fill bytes
    if (at >= bytes.size()) break;
    const std::uint32_t marker = byte(at++);
    if (marker == 0) continue;  // an escaped FF: junk too
    if (marker < 0xC0) {
      return make_error(ErrorCode::kBadImage, "JPEG: expected a marker at byte {}, found ff {:02x}",
                        at - 2, marker);
    }
    if (stands_alone(marker)) continue;
    if (bytes.size() - at < 2) break;
    const std::size_t length = u16be(bytes, at);
    at += 2;
    const std::size_t payload = length > 2 ? length - 2 : 0;
    if (payload > bytes.size() - at) {
      return make_error(ErrorCode::kBadImage,
                        "JPEG: segment ff{:02x} at byte {} has {} bytes, but only {} are left",
                        marker, at - 4, payload, bytes.size() - at);
    }
    const Bytes segment = bytes.subspan(at, payload);
    at += payload;
    if (is_ancillary(marker)) {
      ancillary += payload;
      if (payload > limits.max_ancillary_chunk_bytes ||
          ancillary > limits.max_ancillary_total_bytes) {
        return make_error(ErrorCode::kBadImage,
                          "JPEG: more than {} bytes of metadata (in one segment: {})",
                          limits.max_ancillary_total_bytes, limits.max_ancillary_chunk_bytes);
      }
      read_application(marker, segment, out);
    } else if (is_frame(marker)) {
      OCELLUS_RETURN_IF_ERROR(read_frame(marker, segment, out));
    } else if (marker == kSos) {
      if (out.components == 0) {
        return make_error(ErrorCode::kBadImage, "JPEG: image data before a frame header");
      }
      return out;
    }
  }
  return make_error(ErrorCode::kBadImage, "JPEG: the file ends at byte {} before any image data",
                    bytes.size());
}

}  // namespace ocellus::image
