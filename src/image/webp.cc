// WebP through libwebp and its demultiplexer: the canvas with its first frame, as the library's
// animation decoder (which Pillow uses) would paint it.
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>

#include "base/result.h"
#include "image/codec.h"
#include "image/exif.h"
#include "image/memory.h"
#include "image/pixel.h"

namespace ocellus::image {
namespace {

using base::make_error;

struct FreeDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
using Demuxer = std::unique_ptr<WebPDemuxer, FreeDemuxer>;

// Owns what WebPDemuxGetFrame allocates.
class FirstFrame {
 public:
  explicit FirstFrame(const WebPDemuxer* demuxer) : found_(WebPDemuxGetFrame(demuxer, 1, &it_)) {}
  ~FirstFrame() { WebPDemuxReleaseIterator(&it_); }
  FirstFrame(const FirstFrame&) = delete;
  FirstFrame& operator=(const FirstFrame&) = delete;
  explicit operator bool() const { return found_ != 0; }
  const WebPIterator* operator->() const { return &it_; }

 private:
  WebPIterator it_{};
  int found_;
};

Result<Demuxer> open(Bytes bytes) {
  // The length in the header is what the file claims; the rest is ignored by the library.
  const WebPData data{as_u8(bytes), bytes.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  Demuxer demuxer(WebPDemuxPartial(&data, &state));
  if (state == WEBP_DEMUX_DONE && demuxer) return demuxer;
  if (state == WEBP_DEMUX_PARSE_ERROR) {
    return make_error(ErrorCode::kBadImage, "WebP: damaged chunks");
  }
  const std::uint64_t claimed = bytes.size() >= 8 ? std::uint64_t{u32le(bytes, 4)} + 8 : 12;
  return make_error(ErrorCode::kBadImage,
                    "WebP: the file is cut short: expected {} bytes, found {}", claimed,
                    bytes.size());
}

Bytes chunk(const WebPDemuxer* demuxer, const char* name) {
  WebPChunkIterator it{};
  Bytes found;
  if (WebPDemuxGetChunk(demuxer, name, 1, &it) != 0) {
    found = {reinterpret_cast<const std::byte*>(it.chunk.bytes), it.chunk.size};
  }
  WebPDemuxReleaseChunkIterator(&it);  // the bytes are those of the file and stay
  return found;
}

bool has_alpha(Bytes bytes) {
  WebPBitstreamFeatures features{};
  // Pillow's choice: what cannot be told has alpha.
  return WebPGetFeatures(as_u8(bytes), bytes.size(), &features) != VP8_STATUS_OK ||
         features.has_alpha != 0;
}

// RGBA to RGB in the same memory; writing never overtakes reading.
void put_all_over_white(Image& image) {
  const std::size_t pixels = std::size_t(image.width) * std::size_t(image.height);
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint8_t* from = image.rgb.data() + 4 * i;
    const std::uint8_t rgba[4] = {from[0], from[1], from[2], from[3]};
    put_over_white(image.rgb.data() + 3 * i, rgba);
  }
  image.rgb.resize(3 * pixels);
}

}  // namespace

Result<ImageInfo> read_webp_info(Bytes bytes, const DecodeLimits&) {
  OCELLUS_ASSIGN_OR_RETURN(const Demuxer demuxer, open(bytes));
  ImageInfo info;
  info.width = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH));
  info.height = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT));
  info.frames = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT));
  info.has_alpha = has_alpha(bytes);
  info.color_mode = info.has_alpha ? "RGBA" : "RGB";
  info.orientation = choose_orientation(chunk(demuxer.get(), "EXIF"), chunk(demuxer.get(), "XMP "));
  return info;
}

Result<Image> decode_webp(Bytes bytes, const ImageInfo& info, const DecodeLimits&) {
  OCELLUS_ASSIGN_OR_RETURN(const Demuxer demuxer, open(bytes));
  const FirstFrame frame(demuxer.get());
  if (!frame) return make_error(ErrorCode::kBadImage, "WebP: no frame");
  if (frame->width < 1 || frame->height < 1 || frame->x_offset < 0 || frame->y_offset < 0 ||
      frame->x_offset + frame->width > info.width ||
      frame->y_offset + frame->height > info.height) {
    return make_error(ErrorCode::kBadImage,
                      "WebP: frame {} x {} at {}, {}: expected inside {} x {}", frame->width,
                      frame->height, frame->x_offset, frame->y_offset, info.width, info.height);
  }
  // A frame as large as the canvas, nearly every one, is decoded into the result itself.
  const bool whole = frame->width == info.width && frame->height == info.height;
  const int channels = info.has_alpha ? 4 : 3;
  Image part{frame->width, frame->height, {}};
  part.rgb.resize(std::size_t(channels) * frame->width * frame->height);
  WebPDecoderConfig config;
  WebPInitDecoderConfig(&config);
  config.output.colorspace = info.has_alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {part.rgb.data(), channels * frame->width, part.rgb.size()};
  const VP8StatusCode status = WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
  if (status == VP8_STATUS_OUT_OF_MEMORY) {
    return out_of_memory("WebP: not enough memory for {} x {} pixels", frame->width, frame->height);
  }
  if (status != VP8_STATUS_OK) {
    return make_error(ErrorCode::kBadImage, "WebP: damaged image data: {}",
                      status == VP8_STATUS_NOT_ENOUGH_DATA ? "it ends too early" : "invalid codes");
  }
  if (info.has_alpha) put_all_over_white(part);
  if (whole) return part;

  Image image = make_image(info.width, info.height);  // black where no frame is, white with alpha
  if (info.has_alpha) std::fill(image.rgb.begin(), image.rgb.end(), std::uint8_t{255});
  for (int y = 0; y < frame->height; ++y) {
    std::copy_n(part.row(y), std::size_t{3} * frame->width,
                image.row(frame->y_offset + y) + std::size_t{3} * frame->x_offset);
  }
  return image;
}

}  // namespace ocellus::image
