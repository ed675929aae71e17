#include "base/file_calls.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>

#include "base/result.h"

namespace ocellus::base {
namespace {

using SharedHook = std::shared_ptr<const FileCallHook>;

struct HookSlot {
  std::atomic<bool> set = false;
  std::mutex mutex;
  SharedHook hook;  // guarded by mutex
};

HookSlot& slot() {
  static auto* const instance = new HookSlot;
  return *instance;
}

// Shared: a call that hangs in a test may outlive the test.
SharedHook present_hook() {
  if (!slot().set.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard lock(slot().mutex);
  return slot().hook;
}

// Asks the hook, makes the call, and repeats both while it is interrupted. `call` gives -1 with
// errno and takes the most bytes that it may move.
template <typename Call>
ssize_t repeat(FileCall kind, const std::filesystem::path& path, std::uint64_t offset,
               Call call) noexcept {
  while (true) {
    FileFault fault;
    if (const SharedHook hook = present_hook()) fault = (*hook)(kind, path, offset);
    ssize_t result = -1;
    if (fault.error != 0) {
      errno = fault.error;
    } else {
      result = call(fault.max_bytes);
    }
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace

void set_file_call_hook(FileCallHook hook) {
  SharedHook next = hook ? std::make_shared<const FileCallHook>(std::move(hook)) : nullptr;
  const std::lock_guard lock(slot().mutex);
  slot().set.store(next != nullptr, std::memory_order_release);
  slot().hook.swap(next);
}

FileDescriptor open_file(const std::filesystem::path& path, int flags, mode_t mode) noexcept {
  return FileDescriptor(static_cast<int>(repeat(FileCall::kOpen, path, 0, [&](std::size_t) {
    return ::open(path.c_str(), flags | O_CLOEXEC, mode);
  })));
}

ssize_t read_some(const FileDescriptor& fd, const std::filesystem::path& path, std::uint64_t offset,
                  std::span<std::byte> to) noexcept {
  return repeat(FileCall::kRead, path, offset, [&](std::size_t most) {
    return ::pread(fd.get(), to.data(), std::min(to.size(), most), static_cast<off_t>(offset));
  });
}

ssize_t write_some(const FileDescriptor& fd, const std::filesystem::path& path,
                   std::uint64_t offset, std::span<const std::byte> from) noexcept {
  return repeat(FileCall::kWrite, path, offset, [&](std::size_t most) {
    return ::pwrite(fd.get(), from.data(), std::min(from.size(), most), static_cast<off_t>(offset));
  });
}

bool sync_file(const FileDescriptor& fd, const std::filesystem::path& path) noexcept {
  return repeat(FileCall::kSync, path, 0, [&](std::size_t) { return ::fsync(fd.get()); }) == 0;
}

bool rename_file(const std::filesystem::path& from, const std::filesystem::path& to) noexcept {
  return repeat(FileCall::kRename, to, 0,
                [&](std::size_t) { return ::rename(from.c_str(), to.c_str()); }) == 0;
}

Result<InputFile> open_regular(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  InputFile file{open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY), {}};
  if (!file.fd) {
    const ErrorCode code =
        errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo;
    return make_error(code, "{}: cannot open: {}", path.string(), errno_text(errno));
  }
  if (::fstat(file.fd.get(), &file.info) != 0)
    return make_error(ErrorCode::kIo, "{}: cannot stat: {}", path.string(), errno_text(errno));
  if (!S_ISREG(file.info.st_mode)) {
    const char* const found = S_ISDIR(file.info.st_mode)    ? "a directory"
                              : S_ISFIFO(file.info.st_mode) ? "a pipe"
                              : S_ISSOCK(file.info.st_mode) ? "a socket"
                                                            : "a device";
    return make_error(ErrorCode::kInvalidArgument, "{}: expected a regular file, found {}",
                      path.string(), found);
  }
  return file;
}

std::string errno_text(int error) {
  return std::error_code(error, std::generic_category()).message();
}

}  // namespace ocellus::base
