#include "fetch/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/result.h"

namespace ocellus::fetch {
namespace {

std::unexpected<Error> failed(const std::filesystem::path& path, std::string_view what, int error) {
  const auto code = error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo;
  return base::make_error(code, "{}: {}: {}", path.string(), what,
                          std::generic_category().message(error));
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

Result<std::vector<std::byte>> read_image_file(const std::filesystem::path& path,
                                               std::size_t max_bytes) {
  int fd;
  do {  // O_NONBLOCK: opening a FIFO must not wait for its writer
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return failed(path, "cannot open", errno);
  const Descriptor owner{fd};
  struct stat info {};
  if (::fstat(fd, &info) != 0) return failed(path, "cannot stat", errno);
  if (!S_ISREG(info.st_mode)) {
    return base::make_error(ErrorCode::kBadImage, "{}: not a regular file", path.string());
  }
  const auto too_large = [&] {
    return base::make_error(ErrorCode::kBadImage, "{}: larger than the allowed {} bytes",
                            path.string(), max_bytes);
  };
  if (static_cast<std::size_t>(info.st_size) > max_bytes) return too_large();
  // One byte more than its size, so that the end is seen without another round; it may have grown
  // since, or be one of those that claim to be empty.
  std::vector<std::byte> bytes(static_cast<std::size_t>(info.st_size) + 1);
  std::size_t size = 0;
  while (true) {
    if (size == bytes.size()) bytes.resize(std::min(size * 2, max_bytes + 1));
    const ssize_t count = ::read(fd, bytes.data() + size, bytes.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path, fmt::format("cannot read at {}", size), errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
    if (size > max_bytes) return too_large();
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace ocellus::fetch
