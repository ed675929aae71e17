#include "cli/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/atomic_file.h"
#include "base/result.h"

namespace ocellus::cli {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(const fs::path& path, std::error_code ec) {
  return base::make_error(ErrorCode::kIo, "{}: cannot write: {}", path.string(), ec.message());
}

std::error_code last_error() { return {errno, std::generic_category()}; }

Status write_into(const fs::path& path, std::span<const std::byte> bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return failed(path, last_error());
  std::error_code ec;
  while (!bytes.empty() && !ec) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      ec = last_error();
    }
  }
  if (::close(fd) != 0 && !ec) ec = last_error();
  return ec ? failed(path, ec) : Status();
}

}  // namespace

Status write_output_file(const fs::path& path, std::span<const std::byte> bytes) {
  std::error_code ec;
  const fs::file_status status = fs::status(path, ec);  // of what a link points to
  switch (status.type()) {
    case fs::file_type::fifo:
    case fs::file_type::character:
    case fs::file_type::block:
      return write_into(path, bytes);
    case fs::file_type::directory:
    case fs::file_type::socket:
      return base::make_error(ErrorCode::kInvalidArgument, "{}: expected a file, found a {}",
                              path.string(), fs::is_directory(status) ? "directory" : "socket");
    default:
      break;
  }
  fs::path target = path;
  constexpr int kMaxLinks = 40;  // as many as the kernel follows
  for (int links = 0; fs::is_symlink(target, ec); ++links) {
    if (links == kMaxLinks) return failed(path, {ELOOP, std::generic_category()});
    const fs::path next = fs::read_symlink(target, ec);
    if (ec) return failed(path, ec);
    target = target.parent_path() / next;
  }
  return base::write_file_atomically(target, bytes);
}

}  // namespace ocellus::cli
