#include "benchmark/photo.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

// After <cstdio>, which it needs.
#include <jpeglib.h>

#include "base/result.h"

namespace ocellus::benchmark {
namespace {

std::uint8_t pixel(int x, int y, int channel, std::uint32_t noise) {
  const int smooth = (x / 16 + y / 24 * (channel + 1)) & 127;
  const int edges = ((x / 97) ^ (y / 61)) & 1 ? 64 : 0;
  return static_cast<std::uint8_t>(smooth + edges + static_cast<int>(noise >> 28));
}

}  // namespace

Result<std::vector<std::byte>> make_photo(int width, int height) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* buffer = nullptr;
  unsigned long bytes = 0;
  jpeg_mem_dest(&jpeg, &buffer, &bytes);
  jpeg.image_width = static_cast<JDIMENSION>(width);
  jpeg.image_height = static_cast<JDIMENSION>(height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  constexpr int kQuality = 90;
  jpeg_set_quality(&jpeg, kQuality, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  std::vector<std::uint8_t> row(3 * static_cast<std::size_t>(width));
  std::uint32_t noise = 1;
  for (int y = 0; y < height; ++y) {
    for (int i = 0; i < 3 * width; ++i) {
      noise = noise * 1664525u + 1013904223u;
      row[static_cast<std::size_t>(i)] = pixel(i / 3, y, i % 3, noise);
    }
    JSAMPROW rows = row.data();
    jpeg_write_scanlines(&jpeg, &rows, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  const std::unique_ptr<unsigned char, decltype(&std::free)> owner(buffer, &std::free);
  const auto* data = reinterpret_cast<const std::byte*>(buffer);
  return std::vector<std::byte>(data, data + bytes);
}

}  // namespace ocellus::benchmark
