// JPEG through libjpeg-turbo, set up as Pillow sets it up: the accurate integer DCT, fancy
// upsampling and block smoothing (the library's defaults).
//
// Damage, too, is judged as Pillow judges it: what the library merely warns of (say, bytes between
// segments, or a bad code that it can step over) is accepted; data that ends before the last row is
// complete is an error; a missing end-of-image marker after it is not.
#include <csetjmp>
#include <cstdio>
#include <span>
#include <string_view>
#include <vector>
// jpeglib.h needs FILE declared before it.
#include <jerror.h>
#include <jpeglib.h>

#include "base/result.h"
#include "image/codec.h"
#include "image/cpu_budget.h"
#include "image/exif.h"
#include "image/memory.h"
#include "image/pixel.h"

namespace ocellus::image {
namespace {

using base::make_error;

constexpr int kApp1 = JPEG_APP0 + 1;  // Exif, XMP

// Everything that lives across a longjmp. Without a destructor, and only touched through a pointer,
// so that leaving libjpeg in the middle of a call skips no destructor of ours.
struct Session {
  jpeg_decompress_struct codec;
  jpeg_error_mgr errors;
  jpeg_source_mgr source;
  jpeg_progress_mgr progress;
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
  const CpuBudget* budget;
  int max_scans;
  int expected_width;
  int expected_height;
  bool finishing;  // all rows are there: what is missing now does not matter
};

Session* session_of(j_common_ptr codec) { return static_cast<Session*>(codec->client_data); }

[[noreturn]] void leave(Session* s, const char* message) {
  std::snprintf(s->message, sizeof s->message, "%s", message);
  std::longjmp(s->escape, 1);
}

extern "C" {

[[noreturn]] static void on_error(j_common_ptr codec) {
  Session* s = session_of(codec);
  codec->err->format_message(codec, s->message);
  std::longjmp(s->escape, 1);
}

static void on_message(j_common_ptr, int) {}
static void on_output(j_common_ptr) {}
static void on_source(j_decompress_ptr) {}

// The whole file is in memory from the start, so being asked for more means that it is too short.
static boolean on_more_input(j_decompress_ptr codec) {
  Session* s = session_of(reinterpret_cast<j_common_ptr>(codec));
  if (!s->finishing) leave(s, "the file ends before the picture is complete");
  return FALSE;
}

static void on_skip(j_decompress_ptr codec, long count) {
  if (count <= 0) return;
  jpeg_source_mgr* source = codec->src;
  if (static_cast<std::size_t>(count) > source->bytes_in_buffer) {
    source->next_input_byte += source->bytes_in_buffer;
    source->bytes_in_buffer = 0;
    on_more_input(codec);
    return;
  }
  source->next_input_byte += count;
  source->bytes_in_buffer -= static_cast<std::size_t>(count);
}

static void on_progress(j_common_ptr codec) {
  Session* s = session_of(codec);
  if (s->budget == nullptr) return;
  if (s->codec.input_scan_number > s->max_scans) {
    std::snprintf(s->message, sizeof s->message, "more than %d scans", s->max_scans);
    std::longjmp(s->escape, 1);
  }
  if (s->budget->spent()) leave(s, "decoding takes too long");
}

}  // extern "C"

void make_cmyk_row_rgb(const std::uint8_t* in, std::uint8_t* out, int width) {
  // Adobe writes CMYK inverted, and so does everybody since: in[] counts the light that is left.
  for (int x = 0; x < width; ++x, in += 4, out += 3) {
    const std::uint32_t light = in[3];
    for (int c = 0; c < 3; ++c) {
      out[c] = static_cast<std::uint8_t>(light - multiply_255(255u - in[c], light));
    }
  }
}

void make_grey_row_rgb(const std::uint8_t* in, std::uint8_t* out, int width) {
  for (int x = 0; x < width; ++x, out += 3) out[0] = out[1] = out[2] = in[x];
}

// Reads up to the first scan. With `save_metadata` APP1 segments are kept, and the lengths of all
// others. False with
// s->message set. No object with a destructor may live in here: on_error jumps out of the middle.
bool read_header(Session* s, Bytes bytes, bool save_metadata) {
  s->codec.err = jpeg_std_error(&s->errors);
  s->errors.error_exit = on_error;
  s->errors.emit_message = on_message;
  s->errors.output_message = on_output;
  s->codec.client_data = s;
  if (setjmp(s->escape) != 0) return false;

  jpeg_create_decompress(&s->codec);
  s->source.init_source = on_source;
  s->source.fill_input_buffer = on_more_input;
  s->source.skip_input_data = on_skip;
  s->source.resync_to_restart = jpeg_resync_to_restart;
  s->source.term_source = on_source;
  s->source.next_input_byte = as_u8(bytes);
  s->source.bytes_in_buffer = bytes.size();
  s->codec.src = &s->source;
  s->progress.progress_monitor = on_progress;
  s->codec.progress = &s->progress;
  if (save_metadata) {
    jpeg_save_markers(&s->codec, JPEG_COM, 1);
    for (int i = 0; i < 16; ++i) {
      const int marker = JPEG_APP0 + i;
      jpeg_save_markers(&s->codec, marker, marker == kApp1 ? 0xFFFF : 1);
    }
  }

  while (jpeg_read_header(&s->codec, FALSE) == JPEG_HEADER_TABLES_ONLY) {
  }
  const int components = s->codec.num_components;
  if (components != 1 && components != 3 && components != 4) {
    std::snprintf(s->message, sizeof s->message, "expected 1, 3 or 4 components, found %d",
                  components);
    return false;
  }
  return true;
}

// After read_header: decodes into `rgb`, one row at a time through `scratch` where a row is not RGB
// yet. As read_header in all else.
bool read_rows(Session* s, std::uint8_t* rgb, std::uint8_t* scratch) {
  if (setjmp(s->escape) != 0) return false;
  if (static_cast<int>(s->codec.image_width) != s->expected_width ||
      static_cast<int>(s->codec.image_height) != s->expected_height) {
    leave(s, "the frame headers differ in size");
  }
  const int components = s->codec.num_components;
  if (components == 1) {
    s->codec.jpeg_color_space = JCS_GRAYSCALE;
    s->codec.out_color_space = JCS_GRAYSCALE;
  } else {
    s->codec.out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;
  }
  jpeg_start_decompress(&s->codec);
  if (s->codec.output_components != components) leave(s, "unexpected number of components");

  const std::size_t stride = std::size_t{3} * s->codec.output_width;
  while (s->codec.output_scanline < s->codec.output_height) {
    std::uint8_t* out = rgb + stride * s->codec.output_scanline;
    JSAMPROW row = components == 3 ? out : scratch;
    if (jpeg_read_scanlines(&s->codec, &row, 1) != 1) leave(s, "no row was decoded");
    if (components == 1) make_grey_row_rgb(scratch, out, static_cast<int>(s->codec.output_width));
    if (components == 4) make_cmyk_row_rgb(scratch, out, static_cast<int>(s->codec.output_width));
  }
  s->finishing = true;
  jpeg_finish_decompress(&s->codec);
  return true;
}

// Frees what libjpeg holds.
struct Closer {
  Session& session;
  ~Closer() { jpeg_destroy_decompress(&session.codec); }
};

std::unexpected<Error> error_of(const Session& session) {
  if (session.errors.msg_code == JERR_OUT_OF_MEMORY)
    return out_of_memory("JPEG: not enough memory");
  return make_error(ErrorCode::kBadImage, "JPEG: {}", session.message);
}

// What the saved segments say of the orientation. Exif may be spread over several segments, of
// which all but the first repeat its prefix; of XMP packets the last counts. Both as in Pillow.
int orientation_of(const jpeg_saved_marker_ptr first) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  constexpr std::string_view kXmp("http://ns.adobe.com/xap/1.0/\0", 29);
  std::vector<std::byte> exif;
  Bytes xmp;
  for (const jpeg_marker_struct* marker = first; marker != nullptr; marker = marker->next) {
    if (marker->marker != kApp1) continue;
    const Bytes segment = std::as_bytes(std::span(marker->data, marker->data_length));
    if (has_text(segment, 0, kExif)) {
      const Bytes added = exif.empty() ? segment : segment.subspan(kExif.size());
      exif.insert(exif.end(), added.begin(), added.end());
    } else if (has_text(segment, 0, kXmp)) {
      xmp = segment.subspan(kXmp.size());
    }
  }
  return choose_orientation(exif, xmp);
}

std::string_view color_mode_of(J_COLOR_SPACE space) {
  switch (space) {
    case JCS_GRAYSCALE:
      return "grey";
    case JCS_RGB:
      return "RGB";
    case JCS_CMYK:
      return "CMYK";
    case JCS_YCCK:
      return "YCCK";
    default:
      return "YCbCr";
  }
}

}  // namespace

Result<ImageInfo> read_jpeg_info(Bytes bytes, const DecodeLimits&) {
  Session session{};
  const Closer closer{session};
  if (!read_header(&session, bytes, true)) return error_of(session);
  const jpeg_decompress_struct& codec = session.codec;
  ImageInfo info;
  info.width = static_cast<int>(codec.image_width);
  info.height = static_cast<int>(codec.image_height);
  info.interlaced = codec.progressive_mode != 0;
  info.orientation = orientation_of(codec.marker_list);
  info.color_mode = color_mode_of(codec.jpeg_color_space);
  return info;
}

Result<Image> decode_jpeg(Bytes bytes, const ImageInfo& info, const DecodeLimits& limits) {
  Image image = make_image(info.width, info.height);
  std::vector<std::uint8_t> scratch(std::size_t{4} * info.width);
  const CpuBudget budget(limits.max_cpu_seconds);
  Session session{};
  session.budget = &budget;
  session.max_scans = limits.max_jpeg_scans;
  session.expected_width = info.width;
  session.expected_height = info.height;
  const Closer closer{session};
  if (!read_header(&session, bytes, false) ||
      !read_rows(&session, image.rgb.data(), scratch.data())) {
    return error_of(session);
  }
  return image;
}

}  // namespace ocellus::image
