#include "base/atomic_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "base/result.h"

namespace ocellus::base {
namespace {

std::string reason(int error) { return std::error_code(error, std::generic_category()).message(); }

}  // namespace

Result<AtomicFile> AtomicFile::create(std::filesystem::path path) {
  AtomicFile file;
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

Status AtomicFile::commit() {
  // mkstemp makes the file private; the target should be as readable as any other new file.
  if (::fchmod(fd_, 0644) != 0 || ::fsync(fd_) != 0 ||
      ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return make_error(ErrorCode::kIo, "{}: cannot write: {}", path_.string(), reason(errno));
  }
  temporary_.clear();
  return {};
}

}  // namespace ocellus::base
