// A large file written piece by piece that appears under its name only when it is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "ocellus/error.h"

namespace ocellus::base {

// Writes beside the target; commit() syncs and renames, so that readers see the old file or the
// whole new one. Destroyed before that, it leaves nothing behind; nor does a process that is
// killed, where the file system knows files without a name. Owned by one thread.
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
  bool give_name();  // false with errno

  std::filesystem::path path_;
  std::string temporary_;  // empty while the file has no name, and once it has its own
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

// kIo naming wanted and free bytes when the disk that `path` would be on has fewer than `bytes`.
Status check_free_space(const std::filesystem::path& path, std::uint64_t bytes);

}  // namespace ocellus::base
