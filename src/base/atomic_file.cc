#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <span>
#include <system_error>
#include <utility>

#include "base/file_calls.h"
#include "base/result.h"

namespace ocellus::base {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

std::string link_of(const FileDescriptor& fd) { return fmt::format("/proc/self/fd/{}", fd.get()); }

// An unnamed file, which is gone when the process is; nothing where the file system has none or
// /proc is not mounted.
FileDescriptor open_nameless(const std::filesystem::path& path) {
  FileDescriptor fd = open_file(folder_of(path), O_TMPFILE | O_WRONLY, 0600);
  if (fd && ::access(link_of(fd).c_str(), F_OK) == 0) return fd;
  return {};
}

// So that the new name is on the disk as well.
void sync_folder(const std::filesystem::path& path) {
  const FileDescriptor fd = open_file(folder_of(path), O_RDONLY | O_DIRECTORY);
  if (fd) (void)sync_file(fd, folder_of(path));
}

}  // namespace

Result<AtomicFile> AtomicFile::create(std::filesystem::path path) {
  AtomicFile file;
  file.fd_ = open_nameless(path);
  if (!file.fd_) {
    std::string temporary = path.string() + ".XXXXXX";
    file.fd_ = FileDescriptor(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!file.fd_) {
      return make_error(ErrorCode::kIo, "{}: cannot create: {}", path.string(), errno_text(errno));
    }
    file.temporary_ = std::move(temporary);
  }
  file.path_ = std::move(path);
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
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status AtomicFile::write_all(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write_some(fd_, path_, offset, bytes);
    if (count < 0) {
      return make_error(ErrorCode::kIo, "{}: cannot write at offset {}: {}", path_.string(), offset,
                        errno_text(errno));
    }
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Status AtomicFile::append(std::span<const std::byte> bytes) {
  OCELLUS_RETURN_IF_ERROR(write_all(size_, bytes));
  size_ += bytes.size();
  return {};
}

Status AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset > size_ || bytes.size() > size_ - offset) {
    return make_error(ErrorCode::kIo, "{}: {} bytes at offset {} are beyond its {}", path_.string(),
                      bytes.size(), offset, size_);
  }
  return write_all(offset, bytes);
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
  if (::fchmod(fd_.get(), 0644) != 0 || !sync_file(fd_, path_) || !give_name() ||
      !rename_file(temporary_, path_)) {
    return make_error(ErrorCode::kIo, "{}: cannot write: {}", path_.string(), errno_text(errno));
  }
  temporary_.clear();
  sync_folder(path_);
  return {};
}

Status write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  OCELLUS_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  OCELLUS_RETURN_IF_ERROR(file.append(bytes));
  return file.commit();
}

Status check_free_space(const std::filesystem::path& path, std::uint64_t bytes) {
  std::error_code ec;
  const std::filesystem::space_info space = std::filesystem::space(folder_of(path), ec);
  if (ec) return make_error(ErrorCode::kIo, "{}: {}", folder_of(path).string(), ec.message());
  if (space.available >= bytes) return {};
  return make_error(ErrorCode::kIo, "{}: not enough space: expected {} free bytes, found {}",
                    folder_of(path).string(), bytes, space.available);
}

}  // namespace ocellus::base
