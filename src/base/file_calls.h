// The system's calls on files: interrupted ones are repeated, and a test can make them fail.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string>

#include "base/file_descriptor.h"
#include "ocellus/error.h"

namespace ocellus::base {

// All of these block, set errno and never throw; any thread. `path` is only what the test hook is
// told. A call that a signal interrupts is made again.
FileDescriptor open_file(const std::filesystem::path& path, int flags, mode_t mode = 0) noexcept;
// Fewer bytes than asked for are no error; 0: the end of the file. -1 with errno.
ssize_t read_some(const FileDescriptor& fd, const std::filesystem::path& path, std::uint64_t offset,
                  std::span<std::byte> to) noexcept;
ssize_t write_some(const FileDescriptor& fd, const std::filesystem::path& path,
                   std::uint64_t offset, std::span<const std::byte> from) noexcept;
bool sync_file(const FileDescriptor& fd, const std::filesystem::path& path) noexcept;
bool rename_file(const std::filesystem::path& from, const std::filesystem::path& to) noexcept;

// A regular file that is open for reading.
struct InputFile {
  FileDescriptor fd;
  struct stat info;
  std::uint64_t size() const { return static_cast<std::uint64_t>(info.st_size); }
};
// Never waits for a pipe or device: kInvalidArgument for what is not a regular file; kNotFound;
// kIo.
Result<InputFile> open_regular(const std::filesystem::path& path);

// The system's words for an errno.
std::string errno_text(int error);

// Test seam: called before each call, on its thread; says what becomes of it.
enum class FileCall : std::uint8_t { kOpen, kRead, kWrite, kSync, kRename };
struct FileFault {
  int error = 0;  // the errno that it fails with; 0: it is made (EINTR: and then repeated)
  std::size_t max_bytes = std::numeric_limits<std::size_t>::max();  // a short read or write
};
using FileCallHook = std::function<FileFault(FileCall call, const std::filesystem::path& path,
                                             std::uint64_t offset)>;
// Empty: none. Any thread; calls that are under way finish with the hook that they began with.
void set_file_call_hook(FileCallHook hook);

}  // namespace ocellus::base
