// Which format it is, whether it is within the limits, and the way through its decoder.
#include <algorithm>
#include <new>

#include "base/result.h"
#include "image/codec.h"
#include "image/exif.h"
#include "image/memory.h"

namespace ocellus::image {
namespace {

using base::make_error;

constexpr std::string_view kSupported = "JPEG, PNG, WebP, GIF or BMP";

bool is_webp(Bytes b) { return has_text(b, 0, "RIFF") && has_text(b, 8, "WEBP"); }

std::optional<ImageFormat> detect(Bytes b) {
  if (has_text(b, 0, "\xFF\xD8\xFF")) return ImageFormat::kJpeg;
  if (has_text(b, 0, "\x89PNG\r\n\x1A\n")) return ImageFormat::kPng;
  if (is_webp(b)) return ImageFormat::kWebp;
  if (has_text(b, 0, "GIF87a") || has_text(b, 0, "GIF89a")) return ImageFormat::kGif;
  if (has_text(b, 0, "BM")) return ImageFormat::kBmp;
  return std::nullopt;
}

// Formats that people do have and that are told apart by name, so that the message helps.
std::string_view recognise_unsupported(Bytes b) {
  if (has_text(b, 4, "ftyp")) {
    for (std::string_view brand : {"avif", "avis"}) {
      if (has_text(b, 8, brand)) return "AVIF";
    }
    for (std::string_view brand : {"heic", "heix", "hevc", "heim", "heis", "mif1", "msf1"}) {
      if (has_text(b, 8, brand)) return "HEIC/HEIF";
    }
    return "an ISO media file (MP4 or the like)";
  }
  struct Magic {
    std::string_view bytes;
    std::string_view name;
  };
  static constexpr Magic kMagics[] = {
      {std::string_view("II*\0", 4), "TIFF"},
      {std::string_view("MM\0*", 4), "TIFF"},
      {std::string_view("\0\0\0\x0CjP  ", 8), "JPEG 2000"},
      {std::string_view("\xFF\x4F\xFF\x51", 4), "JPEG 2000"},
      {std::string_view("\0\0\0\x0CJXL ", 8), "JPEG XL"},
      {std::string_view("\xFF\x0A", 2), "JPEG XL"},
      {std::string_view("\0\0\1\0", 4), "a Windows icon"},
      {"8BPS", "Photoshop"},
      {"%PDF", "PDF"},
      {"<svg", "SVG"},
      {"<?xml", "XML or SVG"},
      {"<!DOC", "HTML"},
      {"<html", "HTML"},
      {"qoif", "QOI"},
      {"P5", "PGM"},
      {"P6", "PPM"},
  };
  for (const Magic& magic : kMagics) {
    if (has_text(b, 0, magic.bytes)) return magic.name;
  }
  return {};
}

std::string first_bytes(Bytes b) {
  std::string out;
  for (std::size_t i = 0; i < std::min<std::size_t>(b.size(), 8); ++i) {
    out += fmt::format("{}{:02x}", i == 0 ? "" : " ", u8_at(b, i));
  }
  return out;
}

std::unexpected<Error> unknown_format(Bytes bytes) {
  if (const std::string_view name = recognise_unsupported(bytes); !name.empty()) {
    return make_error(ErrorCode::kBadImage, "picture: expected {}, found {}", kSupported, name);
  }
  return make_error(ErrorCode::kBadImage, "picture: expected {}, found bytes {}", kSupported,
                    first_bytes(bytes));
}

Status check_size(const ImageInfo& info, const DecodeLimits& limits) {
  const std::string_view name = format_name(info.format);
  if (info.width < 1 || info.height < 1) {
    return make_error(ErrorCode::kBadImage, "{}: expected sides of at least 1, found {} x {}", name,
                      info.width, info.height);
  }
  if (info.width > limits.max_side || info.height > limits.max_side) {
    return make_error(ErrorCode::kBadImage,
                      "{}: expected sides of at most {} pixels, found {} x {}", name,
                      limits.max_side, info.width, info.height);
  }
  if (std::int64_t{info.width} * info.height > limits.max_pixels) {
    return make_error(ErrorCode::kBadImage, "{}: expected at most {} pixels, found {} x {}", name,
                      limits.max_pixels, info.width, info.height);
  }
  return {};
}

Result<ImageInfo> read_info(Bytes bytes, const DecodeLimits& limits) {
  if (bytes.empty())
    return make_error(ErrorCode::kBadImage, "picture: expected an encoded picture, found 0 bytes");
  if (bytes.size() > limits.max_encoded_bytes) {
    return make_error(ErrorCode::kBadImage, "picture: expected at most {} bytes, found {}",
                      limits.max_encoded_bytes, bytes.size());
  }
  const auto format = detect(bytes);
  if (!format) return unknown_format(bytes);
  auto info = [&]() -> Result<ImageInfo> {
    switch (*format) {
      case ImageFormat::kJpeg:
        return read_jpeg_info(bytes, limits);
      case ImageFormat::kPng:
        return read_png_info(bytes, limits);
      case ImageFormat::kWebp:
        return read_webp_info(bytes, limits);
      case ImageFormat::kGif:
        return read_gif_info(bytes, limits);
      case ImageFormat::kBmp:
        return read_bmp_info(bytes, limits);
    }
    return make_error(ErrorCode::kInternal, "no such format");
  }();
  if (!info) return info;
  info->format = *format;
  info->encoded_bytes = bytes.size();
  OCELLUS_RETURN_IF_ERROR(check_size(*info, limits));
  return info;
}

Result<Image> decode_stored(Bytes bytes, const ImageInfo& info, const DecodeLimits& limits) {
  switch (info.format) {
    case ImageFormat::kJpeg:
      return decode_jpeg(bytes, info, limits);
    case ImageFormat::kPng:
      return decode_png(bytes, info, limits);
    case ImageFormat::kWebp:
      return decode_webp(bytes, info, limits);
    case ImageFormat::kGif:
      return decode_gif(bytes, info, limits);
    case ImageFormat::kBmp:
      return decode_bmp(bytes, info, limits);
  }
  return make_error(ErrorCode::kInternal, "no such format");
}

}  // namespace

std::string_view format_name(ImageFormat format) noexcept {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kWebp:
      return "WebP";
    case ImageFormat::kGif:
      return "GIF";
    case ImageFormat::kBmp:
      return "BMP";
  }
  return "?";
}

Image make_image(int width, int height) {
  return {width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height)};
}

std::size_t bytes_needed_to_decode(const ImageInfo& info) noexcept {
  const std::size_t area = std::size_t(info.width) * std::size_t(info.height);
  const std::size_t result = 3 * area;
  std::size_t working = std::size_t{1} << 20;  // the codecs' own tables and line buffers
  switch (info.format) {
    case ImageFormat::kJpeg:
      // Progressive: every coefficient (2 bytes, up to 4 components, sides rounded up to 32).
      if (info.interlaced) {
        const std::size_t components = info.color_mode == "grey"                                ? 1
                                       : info.color_mode == "CMYK" || info.color_mode == "YCCK" ? 4
                                                                                                : 3;
        working +=
            2 * components * (std::size_t(info.width) + 31) * (std::size_t(info.height) + 31);
      }
      break;
    case ImageFormat::kPng:
      // Interlaced: the whole picture at its stored depth, up to 4 samples of 2 bytes.
      if (info.interlaced) working += area * (info.bits == 16 ? 8 : 4);
      break;
    case ImageFormat::kWebp:
      // The alpha channel, and the pixels as 4 bytes where they are lossless; frames smaller than
      // the canvas, which only animations have, are decoded apart.
      working += area * (info.animated() ? 8 : info.has_alpha ? 5 : 4);
      break;
    case ImageFormat::kGif:
      break;
    case ImageFormat::kBmp:
      working += area;  // indices, where they are run-length encoded
      break;
  }
  return result + std::max(working, info.swaps_sides() ? result : 0);
}

Result<ImageInfo> read_image_info(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  try {
    return read_info(bytes, limits);
  } catch (const std::bad_alloc&) {
    return out_of_memory("not enough memory to read a picture's header");
  }
}

Result<Image> decode_image(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  OCELLUS_ASSIGN_OR_RETURN(const ImageInfo info, read_image_info(bytes, limits));
  const std::size_t needed = bytes_needed_to_decode(info);
  if (needed > limits.max_memory_bytes) {
    return make_error(ErrorCode::kBadImage,
                      "{} of {} x {}: expected at most {} bytes of memory to decode it, found {}",
                      format_name(info.format), info.width, info.height, limits.max_memory_bytes,
                      needed);
  }
  try {
    OCELLUS_ASSIGN_OR_RETURN(Image image, decode_stored(bytes, info, limits));
    return apply_orientation(std::move(image), info.orientation);
  } catch (const std::bad_alloc&) {
    return out_of_memory("not enough memory for a picture of {} x {}: {} bytes", info.width,
                         info.height, needed);
  }
}

}  // namespace ocellus::image
