#include "image/exif.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace ocellus::image {
namespace {

constexpr std::uint32_t kOrientationTag = 274;

// A TIFF block in its own byte order.
struct Tiff {
  Bytes bytes;
  bool big_endian;

  std::uint32_t u16(std::size_t i) const { return big_endian ? u16be(bytes, i) : u16le(bytes, i); }
  std::uint32_t u32(std::size_t i) const { return big_endian ? u32be(bytes, i) : u32le(bytes, i); }

  // The first integer of a directory entry; its values stand in the entry itself where they fit
  // into 4 bytes, else elsewhere in the block, and then must all be there.
  std::optional<int> integer(std::size_t entry) const {
    const std::uint32_t kind = u16(entry + 2);
    const std::uint64_t count = u32(entry + 4);
    const bool is_short = kind == 3 || kind == 8;               // SHORT, SSHORT
    const bool is_long = kind == 4 || kind == 9 || kind == 13;  // LONG, SLONG, IFD
    if ((!is_short && !is_long) || count == 0) return std::nullopt;
    std::size_t at = entry + 8;
    if (const std::uint64_t size = count * (is_short ? 2 : 4); size > 4) {
      at = u32(entry + 8);
      if (at > bytes.size() || bytes.size() - at < size) return std::nullopt;
    }
    return static_cast<int>(is_short ? u16(at) : std::min(u32(at), 0xFFFFu));
  }
};

}  // namespace

std::optional<int> exif_orientation(Bytes block) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  for (int i = 0; i < 2 && has_text(block, 0, kPrefix); ++i) block = block.subspan(6);
  if (block.size() < 8) return std::nullopt;
  const bool big_endian = has_text(block, 0, "MM");
  const std::uint32_t magic = u16le(block, 2);  // 42; some writers have its bytes swapped
  if ((!big_endian && !has_text(block, 0, "II")) || (magic != 0x2A && magic != 0x2A00)) {
    return std::nullopt;
  }
  const Tiff tiff{block, big_endian};

  const std::size_t directory = tiff.u32(4);
  if (directory > block.size() - 2) return std::nullopt;
  const std::size_t entries = tiff.u16(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > block.size()) break;
    if (tiff.u16(entry) != kOrientationTag) continue;
    if (const auto value = tiff.integer(entry)) return value;
  }
  return std::nullopt;
}

std::optional<int> xmp_orientation(Bytes packet) {
  const std::string_view text = as_text(packet);
  constexpr std::string_view kName = "tiff:Orientation";
  for (std::size_t at = text.find(kName); at != text.npos; at = text.find(kName, at + 1)) {
    std::string_view rest = text.substr(at + kName.size());
    if (rest.starts_with("=\"")) {
      rest.remove_prefix(2);
    } else if (rest.starts_with(">")) {
      rest.remove_prefix(1);
    } else {
      continue;
    }
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] - '0';
  }
  return std::nullopt;
}

int choose_orientation(Bytes exif, Bytes xmp) {
  auto value = exif_orientation(exif);
  if (!value) value = xmp_orientation(xmp);
  return value && *value >= 1 && *value <= 8 ? *value : 1;
}

namespace {

void copy_pixel(std::uint8_t* out, const std::uint8_t* in) {
  out[0] = in[0];
  out[1] = in[1];
  out[2] = in[2];
}

void swap_pixels(std::uint8_t* a, std::uint8_t* b) { std::swap_ranges(a, a + 3, b); }

void mirror_rows(Image& image) {
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* row = image.row(y);
    for (int left = 0, right = image.width - 1; left < right; ++left, --right) {
      swap_pixels(row + 3 * left, row + 3 * right);
    }
  }
}

void flip_columns(Image& image) {
  for (int top = 0, bottom = image.height - 1; top < bottom; ++top, --bottom) {
    std::swap_ranges(image.row(top), image.row(top) + std::size_t{3} * image.width,
                     image.row(bottom));
  }
}

// The main diagonal's mirror image, by tiles so that both pictures stay in the cache.
Image transpose(const Image& in) {
  constexpr int kTile = 32;
  Image out = make_image(in.height, in.width);
  for (int y0 = 0; y0 < in.height; y0 += kTile) {
    for (int x0 = 0; x0 < in.width; x0 += kTile) {
      const int y1 = std::min(y0 + kTile, in.height);
      const int x1 = std::min(x0 + kTile, in.width);
      for (int x = x0; x < x1; ++x) {
        for (int y = y0; y < y1; ++y) copy_pixel(out.row(x) + 3 * y, in.row(y) + 3 * x);
      }
    }
  }
  return out;
}

}  // namespace

Image apply_orientation(Image image, int orientation) {
  if (orientation >= 5) image = transpose(image);
  // What is left after the transposition: 5 nothing, 6 mirror, 7 both, 8 flip.
  const bool mirror = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool flip = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  if (mirror) mirror_rows(image);
  if (flip) flip_columns(image);
  return image;
}

}  // namespace ocellus::image
