// Files as bytes: mapped for weights, read for everything small.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "ocellus/error.h"

namespace ocellus::base {

// A whole regular file, mapped read-only. Movable; the bytes may be read from any thread while it
// lives. The size is that at the time of mapping; changed() tells whether the file has been altered
// since, which loaders ask after they have read everything, so that a file cut short meanwhile is
// an error and never silent zeros.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // kNotFound, kIo (with the system's reason), or kBadModel for something that is not a regular
  // file.
  static Result<MappedFile> open(const std::filesystem::path& path);

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  bool changed() const;
  // A hint that `part` of bytes() is not needed for now: its pages may leave memory.
  void forget(std::span<const std::byte> part) const noexcept;

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  int fd_ = -1;
  long mtime_ns_ = 0;
};

// Reads a small file whole. kNotFound, kIo, or kInvalidArgument when it is larger than max_bytes.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes);

// Writes beside the target, syncs and renames: readers see the old file or the new one, never half.
// kIo.
Status write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace ocellus::base
