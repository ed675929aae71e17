// GIF: the block structure is read by gif_blocks.cc, the LZW data by giflib, which is handed a
// plain file made of nothing but the first frame.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/result.h"
#include "image/codec.h"
#include "image/cpu_budget.h"
#include "image/gif_blocks.h"
#include "image/gif_codes.h"

namespace ocellus::image {
namespace {

using base::make_error;

// What giflib reads: a made-up head, then the file's own data.
struct Input {
  std::array<std::uint8_t, 24> head{};
  std::size_t head_left = 24;
  Bytes data;

  Input(const GifBlocks& blocks, Bytes file) : data(file.subspan(blocks.data)) {
    const auto low = [](int v) { return static_cast<std::uint8_t>(v & 0xFF); };
    const auto high = [](int v) { return static_cast<std::uint8_t>(v >> 8 & 0xFF); };
    // One row more than there is, and never asked for: giflib insists on a complete block structure
    // after the last row, which pictures cut short right there do not have.
    const int height = std::min(blocks.height + 1, 0xFFFF);
    head = {'G',
            'I',
            'F',
            '8',
            '9',
            'a',  //
            low(blocks.width),
            high(blocks.width),
            low(height),
            high(height),
            0,  // screen
            0,
            0,  //
            ',',
            0,
            0,
            0,
            0,
            low(blocks.width),
            high(blocks.width),
            low(height),
            high(height),
            0,
            static_cast<std::uint8_t>(blocks.min_code_size)};
  }
};

extern "C" {
static int read_input(GifFileType* gif, GifByteType* out, int wanted) {
  auto* input = static_cast<Input*>(gif->UserData);
  int got = 0;
  while (got < wanted && input->head_left > 0) {
    out[got++] = input->head[input->head.size() - input->head_left--];
  }
  const std::size_t n = std::min(static_cast<std::size_t>(wanted - got), input->data.size());
  std::copy_n(as_u8(input->data), n, out + got);
  input->data = input->data.subspan(n);
  return got + static_cast<int>(n);
}
}

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};

using Gif = std::unique_ptr<GifFileType, CloseGif>;

std::unexpected<Error> gif_error(int code) {
  const char* text = GifErrorString(code);
  return make_error(
      code == D_GIF_ERR_NOT_ENOUGH_MEM ? ErrorCode::kOutOfMemory : ErrorCode::kBadImage, "GIF: {}",
      text != nullptr ? text : "damaged image data");
}

// Up to the start of the frame's data. `input` must outlive what is returned.
Result<Gif> open(Input& input) {
  int code = 0;
  Gif gif(DGifOpen(&input, read_input, &code));
  if (!gif) return gif_error(code);
  GifRecordType record = UNDEFINED_RECORD_TYPE;
  if (DGifGetRecordType(gif.get(), &record) != GIF_OK || DGifGetImageDesc(gif.get()) != GIF_OK) {
    return gif_error(gif->Error);
  }
  return gif;
}

// Interlaced frames hold rows 0, 8, ..., then 4, 12, ..., then 2, 6, ..., then 1, 3, ...
std::vector<int> row_order(const GifBlocks& blocks) {
  std::vector<int> rows;
  rows.reserve(static_cast<std::size_t>(blocks.height));
  if (!blocks.interlaced) {
    for (int y = 0; y < blocks.height; ++y) rows.push_back(y);
    return rows;
  }
  constexpr int kStart[] = {0, 4, 2, 1};
  constexpr int kStep[] = {8, 8, 4, 2};
  for (int pass = 0; pass < 4; ++pass) {
    for (int y = kStart[pass]; y < blocks.height; y += kStep[pass]) rows.push_back(y);
  }
  return rows;
}

using Colors = std::array<std::array<std::uint8_t, 3>, 256>;

// Indices beyond the palette are black. Where there is no palette, or it says of each index just
// that grey level, all indices are grey levels.
Colors make_colors(const GifBlocks& blocks) {
  Colors colors{};
  bool grey = true;
  for (std::size_t i = 0; 3 * i + 3 <= blocks.palette.size(); ++i) {
    std::copy_n(as_u8(blocks.palette) + 3 * i, 3, colors[i].data());
    for (const std::uint8_t sample : colors[i]) grey = grey && sample == i;
  }
  if (grey) {
    for (std::size_t i = 0; i < colors.size(); ++i) colors[i].fill(static_cast<std::uint8_t>(i));
  }
  if (blocks.transparent) colors[static_cast<std::size_t>(*blocks.transparent)].fill(255);
  return colors;
}

}  // namespace

Result<ImageInfo> read_gif_info(Bytes bytes, const DecodeLimits&) {
  OCELLUS_ASSIGN_OR_RETURN(const GifBlocks blocks, parse_gif_blocks(bytes));
  ImageInfo info;
  info.width = blocks.canvas_width;
  info.height = blocks.canvas_height;
  info.frames = blocks.frames;
  info.interlaced = blocks.interlaced;
  info.has_alpha = blocks.transparent.has_value();
  info.color_mode = blocks.palette.empty() ? "grey" : "palette";
  return info;
}

Result<Image> decode_gif(Bytes bytes, const ImageInfo& info, const DecodeLimits& limits) {
  OCELLUS_ASSIGN_OR_RETURN(const GifBlocks blocks, parse_gif_blocks(bytes));
  {
    Input codes(blocks, bytes);
    OCELLUS_ASSIGN_OR_RETURN(const Gif gif, open(codes));
    OCELLUS_RETURN_IF_ERROR(check_gif_codes(gif.get(), blocks.min_code_size,
                                            std::int64_t{blocks.width} * blocks.height));
  }
  Input input(blocks, bytes);
  OCELLUS_ASSIGN_OR_RETURN(const Gif gif, open(input));

  // Outside the frame: the transparent colour, or else the first one.
  const Colors colors = make_colors(blocks);
  const auto& ground = colors[static_cast<std::size_t>(blocks.transparent.value_or(0))];
  Image image = make_image(info.width, info.height);
  if (blocks.width != info.width || blocks.height != info.height) {
    for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
      std::copy_n(ground.data(), 3, image.rgb.data() + i);
    }
  }
  std::vector<GifPixelType> indices(static_cast<std::size_t>(blocks.width));
  const CpuBudget budget(limits.max_cpu_seconds);
  for (const int y : row_order(blocks)) {
    if (DGifGetLine(gif.get(), indices.data(), blocks.width) != GIF_OK)
      return gif_error(gif->Error);
    std::uint8_t* to = image.row(blocks.top + y) + std::size_t{3} * blocks.left;
    for (const GifPixelType index : indices) {
      std::copy_n(colors[index].data(), 3, to);
      to += 3;
    }
    if (budget.spent())
      return make_error(ErrorCode::kBadImage, "GIF: decoding takes longer than {} s",
                        limits.max_cpu_seconds);
  }
  return image;
}

}  // namespace ocellus::image
