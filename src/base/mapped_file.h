// Large files as bytes, mapped.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/file_descriptor.h"
#include "base/mapping_guard.h"
#include "ocellus/error.h"

namespace ocellus::base {

// A whole regular file, mapped read-only. Movable; the bytes may be read from any thread while it
// lives. The size is that at the time of mapping. A file that is cut short meanwhile reads as zeros
// (mapping_guard.h); changed() tells that it has been altered, which loaders ask after they have
// read everything, and lost() that zeros were read, which those ask who go on reading.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // kNotFound; kIo with the system's reason; kInvalidArgument for what is not a regular file.
  static Result<MappedFile> open(const std::filesystem::path& path);

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  bool changed() const;
  bool lost() const noexcept { return guard_.lost(); }
  // A hint that `part` of bytes() is not needed for now: its pages may leave memory.
  void forget(std::span<const std::byte> part) const noexcept;

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  FileDescriptor fd_;
  long mtime_ns_ = 0;
  MappingGuard guard_;
};

}  // namespace ocellus::base
