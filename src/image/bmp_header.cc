#include "image/bmp_header.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::image {
namespace {

using base::make_error;

constexpr std::size_t kFileHeader = 14;
constexpr std::uint32_t kRaw = 0;
constexpr std::uint32_t kRle8 = 1;
constexpr std::uint32_t kRle4 = 2;
constexpr std::uint32_t kBitFields = 3;

struct Masks {
  std::uint32_t r, g, b, a;
  bool operator==(const Masks&) const = default;
};

// The layouts of 32-bit pixels that are in use, and the byte that each channel lies in.
struct Layout {
  Masks masks;
  std::array<int, 4> channel;
};
constexpr Layout kLayouts[] = {
    {{0xFF0000, 0xFF00, 0xFF, 0}, {2, 1, 0, -1}},
    {{0xFF000000, 0xFF0000, 0xFF00, 0}, {3, 2, 1, -1}},
    {{0xFF000000, 0xFF00, 0xFF, 0}, {3, 1, 0, -1}},
    {{0xFF000000, 0xFF0000, 0xFF00, 0xFF}, {3, 2, 1, 0}},
    {{0xFF, 0xFF00, 0xFF0000, 0xFF000000}, {0, 1, 2, 3}},
    {{0xFF0000, 0xFF00, 0xFF, 0xFF000000}, {2, 1, 0, 3}},
    {{0xFF000000, 0xFF00, 0xFF, 0xFF0000}, {3, 1, 0, 2}},
    {{0, 0, 0, 0}, {2, 1, 0, 3}},
};

Status apply_masks(const Masks& m, BmpHeader& out) {
  const Masks rgb{m.r, m.g, m.b, 0};
  if (out.bits == 32) {
    for (const Layout& layout : kLayouts) {
      if (layout.masks == m) {
        out.channel = layout.channel;
        return {};
      }
    }
  } else if (out.bits == 24 && rgb == Masks{0xFF0000, 0xFF00, 0xFF, 0}) {
    return {};
  } else if (out.bits == 16 && rgb == Masks{0xF800, 0x7E0, 0x1F, 0}) {
    out.green6 = true;
    return {};
  } else if (out.bits == 16 && rgb == Masks{0x7C00, 0x3E0, 0x1F, 0}) {
    return {};
  }
  return make_error(ErrorCode::kBadImage,
                    "BMP: unsupported bit fields {:x}, {:x}, {:x}, {:x} of {} bits", m.r, m.g, m.b,
                    m.a, out.bits);
}

}  // namespace

Result<BmpHeader> parse_bmp_header(Bytes bytes) {
  const auto cut_off = [&](std::size_t expected) {
    return make_error(ErrorCode::kBadImage, "BMP: header: expected {} bytes, found {}", expected,
                      bytes.size());
  };
  if (bytes.size() < kFileHeader + 4) return cut_off(kFileHeader + 4);
  const std::size_t size = u32le(bytes, kFileHeader);
  constexpr std::size_t kSizes[] = {12, 40, 52, 56, 64, 108, 124};
  if (std::ranges::find(kSizes, size) == std::end(kSizes)) {
    return make_error(ErrorCode::kBadImage,
                      "BMP: header size: expected 12, 40, 52, 56, 64, 108 or 124, found {}", size);
  }
  std::size_t at = kFileHeader + size;
  if (bytes.size() < at) return cut_off(at);
  const Bytes h = bytes.subspan(kFileHeader, size);

  BmpHeader out;
  std::uint32_t compression = kRaw;
  std::size_t colors = 0;
  if (size == 12) {
    out.width = static_cast<int>(u16le(h, 4));
    out.height = static_cast<int>(u16le(h, 6));
    out.bits = static_cast<int>(u16le(h, 10));
    out.palette_stride = 3;
  } else {
    const std::uint32_t width = u32le(h, 4);
    std::uint32_t height = u32le(h, 8);
    out.top_down = height >= 0xFF000000;  // negative
    if (out.top_down) height = 0u - height;
    if (width > 0x7FFFFFFF || height > 0x7FFFFFFF) {
      return make_error(ErrorCode::kBadImage,
                        "BMP: header: expected sides below 2^31, found {} x {}", width, height);
    }
    out.width = static_cast<int>(width);
    out.height = static_cast<int>(height);
    out.bits = static_cast<int>(u16le(h, 14));
    compression = u32le(h, 16);
    colors = u32le(h, 32);
  }
  constexpr int kBits[] = {1, 4, 8, 16, 24, 32};
  if (std::ranges::find(kBits, out.bits) == std::end(kBits)) {
    return make_error(ErrorCode::kBadImage,
                      "BMP: bits per pixel: expected 1, 4, 8, 16, 24 or 32, found {}", out.bits);
  }
  out.rle = compression == kRle8 || compression == kRle4;
  out.rle4 = compression == kRle4;
  if (compression > kBitFields || (out.rle && out.bits > 8)) {
    return make_error(ErrorCode::kBadImage,
                      "BMP: unsupported compression {} with {} bits per pixel", compression,
                      out.bits);
  }
  if (compression == kBitFields) {
    Masks masks{};
    if (size >= 52) {
      masks = {u32le(h, 40), u32le(h, 44), u32le(h, 48), size >= 56 ? u32le(h, 52) : 0};
    } else {
      if (bytes.size() < at + 12) return cut_off(at + 12);
      masks = {u32le(bytes, at), u32le(bytes, at + 4), u32le(bytes, at + 8), 0};
      at += 12;
    }
    OCELLUS_RETURN_IF_ERROR(apply_masks(masks, out));
  }
  out.data = u32le(bytes, 10);
  if (out.bits <= 8) {
    if (colors == 0) colors = std::size_t{1} << out.bits;
    if (colors > 65'536) {
      return make_error(ErrorCode::kBadImage,
                        "BMP: palette: expected at most 65536 colours, found {}", colors);
    }
    const std::size_t wanted = colors * out.palette_stride;
    out.palette = bytes.subspan(at, std::min(wanted, bytes.size() - at));
    // Some writers point at the palette instead of the pixels after it.
    if (out.data == kFileHeader + size) out.data += wanted;
    at += out.palette.size();
  }
  if (out.data == 0) out.data = at;
  return out;
}

}  // namespace ocellus::image
