// Where a picture comes from. Nothing is read until a model is asked about it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "ocellus/export.h"

namespace ocellus {

// JPEG, PNG, WebP, GIF (first frame) or BMP, told apart by content; EXIF orientation is applied.
// Value type, any thread.
class OCELLUS_API Picture {
 public:
  struct Path {
    std::filesystem::path path;
  };
  struct Url {
    std::string url;  // http, https or data:
  };
  struct Bytes {
    std::vector<std::byte> bytes;  // an encoded picture
  };
  using Source = std::variant<Path, Url, Bytes>;

  static Picture from_path(std::filesystem::path path) { return Picture(Path{std::move(path)}); }
  static Picture from_url(std::string url) { return Picture(Url{std::move(url)}); }
  static Picture from_bytes(std::vector<std::byte> bytes) {
    return Picture(Bytes{std::move(bytes)});
  }
  // What a person types: http://, https:// and data: are URLs, all else is a path.
  static Picture parse(std::string path_or_url);

  const Source& source() const { return source_; }

 private:
  explicit Picture(Source source) : source_(std::move(source)) {}
  Source source_;
};

}  // namespace ocellus
