// PNG through libspng. Chunks that matter beside the pixels (orientation, frames) are found by a
// small walk of our own, since Pillow honours them even after the image data.
#include <spng.h>

#include <memory>

#include "base/result.h"
#include "image/codec.h"
#include "image/cpu_budget.h"
#include "image/exif.h"
#include "image/png_chunks.h"
#include "image/png_rows.h"

namespace ocellus::image {
namespace {

using base::make_error;

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, FreeContext>;

std::unexpected<Error> spng_error(int code) {
  return make_error(code == SPNG_EMEM ? ErrorCode::kOutOfMemory : ErrorCode::kBadImage, "PNG: {}",
                    spng_strerror(code));
}

// The palette and the transparent colour, from the library, which has checked their checksums.
Result<PngColors> read_colors(spng_ctx* context, const PngHeader& header) {
  PngColors colors(header.color_type, header.bit_depth);
  spng_plte palette{};
  if (header.color_type == SPNG_COLOR_TYPE_INDEXED) {
    if (const int code = spng_get_plte(context, &palette); code != 0) return spng_error(code);
    for (std::uint32_t i = 0; i < palette.n_entries; ++i) {
      colors.set_palette(i, palette.entries[i].red, palette.entries[i].green,
                         palette.entries[i].blue);
    }
  }
  spng_trns transparency{};
  const int code = spng_get_trns(context, &transparency);
  if (code == SPNG_ECHUNKAVAIL) return colors;
  if (code != 0) return spng_error(code);
  switch (header.color_type) {
    case SPNG_COLOR_TYPE_INDEXED:
      for (std::uint32_t i = 0; i < transparency.n_type3_entries; ++i) {
        colors.set_palette_alpha(i, transparency.type3_alpha[i]);
      }
      break;
    case SPNG_COLOR_TYPE_GRAYSCALE:
      colors.set_transparent(transparency.gray, transparency.gray, transparency.gray);
      break;
    case SPNG_COLOR_TYPE_TRUECOLOR:
      colors.set_transparent(transparency.red, transparency.green, transparency.blue);
      break;
    default:
      break;
  }
  return colors;
}

Result<Context> open(Bytes bytes, const DecodeLimits& limits) {
  // Checksums are looked at elsewhere, once: those of the chunks. That of the decompressed data
  // says nothing more.
  Context context(spng_ctx_new(SPNG_CTX_IGNORE_ADLER32));
  if (!context) return spng_error(SPNG_EMEM);
  const auto side = static_cast<std::uint32_t>(limits.max_side);
  spng_set_crc_action(context.get(), SPNG_CRC_USE, SPNG_CRC_USE);
  spng_set_image_limits(context.get(), side, side);
  spng_set_chunk_limits(context.get(), limits.max_ancillary_chunk_bytes,
                        limits.max_ancillary_total_bytes);
  if (int code = spng_set_png_buffer(context.get(), bytes.data(), bytes.size()); code != 0) {
    return spng_error(code);
  }
  return context;
}

// Texts before the picture. What is wrong with them is not told: they decide nothing but which way
// is up, and the decoder will see the same damage.
void inflate_metadata(Bytes bytes, const DecodeLimits& limits, PngHeader& header) {
  const auto context = open(bytes, limits);
  if (!context) return;
  std::uint32_t count = 0;
  if (spng_get_text(context->get(), nullptr, &count) != 0 || count == 0) return;
  std::vector<spng_text> texts(count);
  if (spng_get_text(context->get(), texts.data(), &count) != 0) return;
  for (const spng_text& text : texts) {
    const auto* data = reinterpret_cast<const std::byte*>(text.text);
    read_metadata_text(text.keyword, {data, text.length}, header);
  }
}

}  // namespace

Result<ImageInfo> read_png_info(Bytes bytes, const DecodeLimits& limits) {
  OCELLUS_ASSIGN_OR_RETURN(PngHeader header, parse_png_chunks(bytes, limits));
  if (header.has_compressed_metadata) inflate_metadata(bytes, limits, header);
  ImageInfo info;
  info.width = header.width;
  info.height = header.height;
  info.bits = header.bit_depth;
  info.interlaced = header.interlaced;
  info.frames = header.frames;
  info.orientation = choose_orientation(header.exif, header.xmp);
  info.has_alpha = header.has_transparency;
  switch (header.color_type) {
    case SPNG_COLOR_TYPE_GRAYSCALE:
      info.color_mode = "grey";
      break;
    case SPNG_COLOR_TYPE_TRUECOLOR:
      info.color_mode = "RGB";
      break;
    case SPNG_COLOR_TYPE_INDEXED:
      info.color_mode = "palette";
      break;
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
      info.color_mode = "grey+alpha";
      info.has_alpha = true;
      break;
    default:
      info.color_mode = "RGBA";
      info.has_alpha = true;
  }
  return info;
}

Result<Image> decode_png(Bytes bytes, const ImageInfo& info, const DecodeLimits& limits) {
  OCELLUS_ASSIGN_OR_RETURN(const PngHeader header, parse_png_chunks(bytes, limits));
  OCELLUS_RETURN_IF_ERROR(check_png_checksums(bytes));
  const std::vector<std::byte> plain = png_without_metadata(bytes);
  OCELLUS_ASSIGN_OR_RETURN(const Context context, open(plain, limits));
  if (int code =
          spng_decode_image(context.get(), nullptr, 0, SPNG_FMT_RAW, SPNG_DECODE_PROGRESSIVE);
      code != 0) {
    return spng_error(code);
  }
  OCELLUS_ASSIGN_OR_RETURN(const PngColors colors, read_colors(context.get(), header));

  const std::size_t stride = colors.row_bytes(info.width);
  // Interlaced rows come several times, more complete each time, so all are kept until the end.
  std::vector<std::uint8_t> raw(info.interlaced ? stride * info.height : stride);
  Image image = make_image(info.width, info.height);
  const CpuBudget budget(limits.max_cpu_seconds);
  int code = 0;
  while (code == 0) {
    spng_row_info row{};
    if ((code = spng_get_row_info(context.get(), &row)) != 0) break;
    std::uint8_t* into = raw.data() + (info.interlaced ? stride * row.row_num : 0);
    code = spng_decode_row(context.get(), into, stride);
    if (code != 0 && code != SPNG_EOI) break;
    if (!info.interlaced)
      colors.make_rgb(into, image.row(static_cast<int>(row.row_num)), info.width);
    if (budget.spent())
      return make_error(ErrorCode::kBadImage, "PNG: decoding takes longer than {} s",
                        limits.max_cpu_seconds);
  }
  if (code != SPNG_EOI) return spng_error(code);
  if (info.interlaced) {
    for (int y = 0; y < info.height; ++y) {
      colors.make_rgb(raw.data() + stride * y, image.row(y), info.width);
    }
  }
  return image;
}

}  // namespace ocellus::image
