#include "image/gif_blocks.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::image {
namespace {

using base::make_error;

constexpr std::uint32_t kExtension = '!';
constexpr std::uint32_t kImage = ',';
constexpr std::uint32_t kTrailer = ';';
constexpr std::uint32_t kGraphicControl = 0xF9;

// Walks a file block by block. Reading past the end gives nothing, as from a file.
class Reader {
 public:
  Reader(Bytes bytes, std::size_t at) : bytes_(bytes), at_(std::min(at, bytes.size())) {}

  std::size_t at() const { return at_; }
  bool at_end() const { return at_ >= bytes_.size(); }
  std::uint32_t byte() { return at_end() ? kTrailer : u8_at(bytes_, at_++); }

  Bytes take(std::size_t n) {
    const Bytes taken = bytes_.subspan(at_, std::min(n, bytes_.size() - at_));
    at_ += taken.size();
    return taken;
  }

  // A sub-block's contents; empty at the block terminator and at the end of the file.
  Bytes sub_block() { return at_end() ? Bytes{} : take(u8_at(bytes_, at_++)); }

  std::size_t skip_sub_blocks() {
    const std::size_t from = at_;
    while (!sub_block().empty()) {
    }
    return at_ - from;
  }

 private:
  Bytes bytes_;
  std::size_t at_;
};

std::unexpected<Error> cut_off(std::string_view where, std::size_t size) {
  return make_error(ErrorCode::kBadImage, "GIF: the file is cut short: it ends at byte {}, in {}",
                    size, where);
}

Bytes color_table(Reader& reader, std::uint32_t flags) {
  if ((flags & 0x80) == 0) return {};
  return reader.take(std::size_t{3} << ((flags & 7) + 1));
}

Status read_extension(Reader& reader, std::size_t file_size, GifBlocks& out) {
  if (reader.at_end()) return cut_off("an extension", file_size);
  const std::uint32_t label = reader.byte();
  const Bytes block = reader.sub_block();
  if (label == kGraphicControl && !block.empty()) {
    if (block.size() < 4) return cut_off("a graphic control extension", file_size);
    if ((u8_at(block, 0) & 1) != 0) out.transparent = static_cast<int>(u8_at(block, 3));
  }
  if (!block.empty()) reader.skip_sub_blocks();
  return {};
}

// The descriptor of the first picture, after its ','.
Status read_descriptor(Reader& reader, std::size_t file_size, GifBlocks& out) {
  const Bytes s = reader.take(9);
  if (s.size() < 9) return cut_off("an image descriptor", file_size);
  out.left = static_cast<int>(u16le(s, 0));
  out.top = static_cast<int>(u16le(s, 2));
  out.width = static_cast<int>(u16le(s, 4));
  out.height = static_cast<int>(u16le(s, 6));
  if (out.width < 1 || out.height < 1) {
    return make_error(ErrorCode::kBadImage,
                      "GIF: first frame: expected sides of at least 1, found {} x {}", out.width,
                      out.height);
  }
  out.canvas_width = std::max(out.canvas_width, out.left + out.width);
  out.canvas_height = std::max(out.canvas_height, out.top + out.height);
  const std::uint32_t flags = u8_at(s, 8);
  out.interlaced = (flags & 0x40) != 0;
  if (const Bytes local = color_table(reader, flags); !local.empty()) out.palette = local;
  if (reader.at_end()) return cut_off("an image descriptor", file_size);
  out.min_code_size = static_cast<int>(reader.byte());
  out.data = reader.at();
  return {};
}

int count_frames(Reader reader) {
  int frames = 1;
  reader.skip_sub_blocks();
  while (!reader.at_end()) {
    const std::uint32_t kind = reader.byte();
    if (kind == kTrailer) break;
    if (kind == kExtension) {
      reader.byte();
      reader.skip_sub_blocks();
    } else if (kind == kImage) {
      const Bytes descriptor = reader.take(9);
      if (descriptor.size() < 9) break;
      color_table(reader, u8_at(descriptor, 8));
      if (reader.at_end()) break;
      reader.byte();
      reader.skip_sub_blocks();
      ++frames;
    }
  }
  return frames;
}

}  // namespace

Result<GifBlocks> parse_gif_blocks(Bytes bytes) {
  if (bytes.size() < 13) return cut_off("the screen descriptor", bytes.size());
  GifBlocks out;
  out.canvas_width = static_cast<int>(u16le(bytes, 6));
  out.canvas_height = static_cast<int>(u16le(bytes, 8));
  Reader reader(bytes, 13);
  out.palette = color_table(reader, u8_at(bytes, 10));
  while (!reader.at_end()) {
    const std::uint32_t kind = reader.byte();
    if (kind == kTrailer) break;
    if (kind == kExtension) {
      OCELLUS_RETURN_IF_ERROR(read_extension(reader, bytes.size(), out));
    } else if (kind == kImage) {
      OCELLUS_RETURN_IF_ERROR(read_descriptor(reader, bytes.size(), out));
      out.frames = count_frames(reader);
      return out;
    }  // anything else: junk between blocks
  }
  return make_error(ErrorCode::kBadImage, "GIF: no image descriptor in {} bytes", bytes.size());
}

}  // namespace ocellus::image
