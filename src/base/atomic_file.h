// Files that appear under their name only when they are whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/file_descriptor.h"
#include "ocellus/error.h"

namespace ocellus::base {

// Written piece by piece, for large files. It lies beside the target; commit() syncs and renames,
// so that readers see the old file or the whole new one. Destroyed before that, it leaves nothing
// behind; nor does a process that is killed, where the file system has unnamed files (O_TMPFILE).
// Owned by one thread; blocks.
class AtomicFile {
 public:
  // kIo.
  static Result<AtomicFile> create(std::filesystem::path path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  // kIo naming the target and the offset: a full disk.
  Status append(std::span<const std::byte> bytes);
  // Writes over bytes that were appended before: a header that names what came after it. Offset and
  // end are within size(). kIo.
  Status write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  // The last call.
  Status commit();

  std::uint64_t size() const { return size_; }

 private:
  AtomicFile() = default;
  Status write_all(std::uint64_t offset, std::span<const std::byte> bytes);
  bool give_name();  // false with errno

  std::filesystem::path path_;
  std::string temporary_;  // empty while the file has no name, and once it has its own
  FileDescriptor fd_;
  std::uint64_t size_ = 0;
};

// The same in one call, for small files.
Status write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);

// kIo naming wanted and free bytes when the disk that `path` would be on has fewer than `bytes`.
Status check_free_space(const std::filesystem::path& path, std::uint64_t bytes);

}  // namespace ocellus::base
