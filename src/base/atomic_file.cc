#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <span>
#include <system_error>
#include <utility>

#include "base/result.h"

namespace ocellus::base {
namespace {

std::string reason(int error) { return std::error_code(error, std::generic_category()).message(); }

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

std::string link_of(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

// A file without a name, of which nothing stays behind whatever becomes of the process; -1 where
// the file system or the surroundings have no such thing.
int open_nameless(const std::filesystem::path& path) {
  const int fd = ::open(folder_of(path).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0 && ::access(link_of(fd).c_str(), F_OK) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

// So that the new name is on the disk as well.
void sync_folder(const std::filesystem::path& path) {
  const int fd = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

Result<AtomicFile> AtomicFile::create(std::filesystem::path path) {
  AtomicFile file;
  file.fd_ = open_nameless(path);
  if (file.fd_ >= 0) {
    file.path_ = std::move(path);
    return file;
  }
  std::string temporary = path.string() + ".XXXXXX";
  file.fd_ = ::mkstemp(temporary.data());
  if (file.fd_ < 0) {
    return make_error(ErrorCode::kIo, "{}: cannot create: {}", path.string(), reason(errno));
  }
  file.path_ = std::move(path);
  file.temporary_ = std::move(temporary);
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept { *this = std::move(other); }

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status AtomicFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return make_error(ErrorCode::kIo, "{}: cannot write at offset {}: {}", path_.string(), size_,
                        reason(errno));
    }
    size_ += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Status AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset > size_ || bytes.size() > size_ - offset) {
    return make_error(ErrorCode::kIo, "{}: {} bytes at offset {} are beyond its {}", path_.string(),
                      bytes.size(), offset, size_);
  }
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return make_error(ErrorCode::kIo, "{}: cannot write at offset {}: {}", path_.string(), offset,
                        reason(errno));
    }
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

bool AtomicFile::give_name() {
  for (int attempt = 0; temporary_.empty() && attempt < 1000; ++attempt) {
    const std::string name = fmt::format("{}.{}.{}", path_.string(), ::getpid(), attempt);
    if (::linkat(AT_FDCWD, link_of(fd_).c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
      temporary_ = name;
    } else if (errno != EEXIST) {
      return false;
    }
  }
  return !temporary_.empty();
}

Status AtomicFile::commit() {
  // The file was made private; the target should be as readable as any other new file.
  if (::fchmod(fd_, 0644) != 0 || ::fsync(fd_) != 0 || !give_name() ||
      ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return make_error(ErrorCode::kIo, "{}: cannot write: {}", path_.string(), reason(errno));
  }
  temporary_.clear();
  sync_folder(path_);
  return {};
}

Status check_free_space(const std::filesystem::path& path, std::uint64_t bytes) {
  std::error_code ec;
  const std::filesystem::space_info space = std::filesystem::space(folder_of(path), ec);
  if (ec) return make_error(ErrorCode::kIo, "{}: {}", folder_of(path).string(), ec.message());
  if (space.available >= bytes) return {};
  return make_error(ErrorCode::kIo, "{}: not enough space: {} bytes are needed, {} are free",
                    folder_of(path).string(), bytes, space.available);
}

}  // namespace ocellus::base
