// What the tests of this folder share: the reference's tables, the same made-up pixels, files.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "image/image.h"

namespace ocellus::image::testing {

inline std::filesystem::path testdata() {
  const char* source = std::getenv("OCELLUS_SOURCE_DIR");
  const std::filesystem::path folder = source != nullptr
                                           ? std::filesystem::path(source) / "src/image"
                                           : std::filesystem::path(__FILE__).parent_path();
  return folder / "testdata";
}

inline std::vector<std::byte> read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::byte> bytes;
  for (std::istreambuf_iterator<char> it(file), end; it != end; ++it) {
    bytes.push_back(static_cast<std::byte>(*it));
  }
  return bytes;
}

inline std::vector<std::byte> picture_bytes(const std::string& name) {
  return read_bytes(testdata() / "pictures" / name);
}

// A table written by make_testdata.py: rows of cells; comments left out.
inline std::vector<std::vector<std::string>> read_table(const std::string& name) {
  std::ifstream file(testdata() / name);
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream cells(line);
    std::vector<std::string>& row = rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, '\t');) row.push_back(cell);
  }
  return rows;
}

template <typename T>
std::string digest(const std::vector<T>& values) {
  return base::to_hex(base::sha256(std::as_bytes(std::span(values))));
}

// common.py's noise().
inline Image noise_picture(int width, int height, int seed) {
  Image image = make_image(width, height);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    auto value = static_cast<std::uint32_t>((i + std::uint64_t(seed) * 1'000'003) * 2'654'435'761);
    value ^= value >> 15;
    image.rgb[i] = static_cast<std::uint8_t>(value * 2'246'822'519u >> 24);
  }
  return image;
}

}  // namespace ocellus::image::testing
