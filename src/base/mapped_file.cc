#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/result.h"

namespace ocellus::base {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string reason(int error) { return std::error_code(error, std::generic_category()).message(); }

int open_retrying(const char* path, int flags, mode_t mode = 0) {
  int fd;
  do {
    fd = ::open(path, flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

Result<struct stat> stat_regular(int fd, const std::filesystem::path& path) {
  struct stat info {};
  if (fstat(fd, &info) != 0) {
    return make_error(ErrorCode::kIo, "{}: {}", path.string(), reason(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return make_error(ErrorCode::kInvalidArgument, "{}: expected a regular file, found {}",
                      path.string(), S_ISDIR(info.st_mode) ? "a directory" : "something else");
  }
  return info;
}

// O_NONBLOCK: a FIFO put where a file is expected must not hang the opener.
Result<int> open_for_reading(const std::filesystem::path& path) {
  const int fd = open_retrying(path.c_str(), O_RDONLY | O_NONBLOCK);
  if (fd >= 0) return fd;
  const ErrorCode code =
      errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo;
  return make_error(code, "{}: {}", path.string(), reason(errno));
}

long mtime_ns(const struct stat& info) {
  return info.st_mtim.tv_sec * 1'000'000'000L + info.st_mtim.tv_nsec;
}

}  // namespace

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(fd_, other.fd_);
  std::swap(mtime_ns_, other.mtime_ns_);
  return *this;
}

void MappedFile::forget(std::span<const std::byte> part) const noexcept {
  if (part.data() < data_ || part.data() + part.size() > data_ + size_) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = static_cast<std::size_t>(part.data() - data_);
  const std::size_t first = (begin + page - 1) / page * page,
                    last = (begin + part.size()) / page * page;
  if (first < last) ::madvise(const_cast<std::byte*>(data_) + first, last - first, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  if (fd_ >= 0) ::close(fd_);
}

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  OCELLUS_ASSIGN_OR_RETURN(const int raw, open_for_reading(path));
  FileDescriptor fd(raw);
  OCELLUS_ASSIGN_OR_RETURN(const struct stat info, stat_regular(fd.get(), path));
  MappedFile file;
  file.path_ = path;
  file.size_ = static_cast<std::size_t>(info.st_size);
  file.mtime_ns_ = mtime_ns(info);
  if (file.size_ > 0) {
    void* memory = ::mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (memory == MAP_FAILED) {
      return make_error(ErrorCode::kIo, "{}: cannot map {} bytes: {}", path.string(), file.size_,
                        reason(errno));
    }
    file.data_ = static_cast<const std::byte*>(memory);
  }
  file.fd_ = fd.release();
  return file;
}

bool MappedFile::changed() const {
  struct stat info {};
  if (fd_ < 0 || fstat(fd_, &info) != 0) return true;
  return static_cast<std::size_t>(info.st_size) != size_ || mtime_ns(info) != mtime_ns_;
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  OCELLUS_ASSIGN_OR_RETURN(const int raw, open_for_reading(path));
  FileDescriptor fd(raw);
  OCELLUS_ASSIGN_OR_RETURN(const struct stat info, stat_regular(fd.get(), path));
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > max_bytes) {
    return make_error(ErrorCode::kInvalidArgument, "{}: {} bytes, expected at most {}",
                      path.string(), size, max_bytes);
  }
  std::string content(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(fd.get(), content.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return make_error(ErrorCode::kIo, "{}: reading at offset {}: {}", path.string(), done,
                        reason(errno));
    }
    if (n == 0) {
      return make_error(ErrorCode::kIo, "{}: ended at offset {}, expected {} bytes", path.string(),
                        done, size);
    }
    done += static_cast<std::size_t>(n);
  }
  return content;
}

Status write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::string temporary = path.string() + ".XXXXXX";
  FileDescriptor fd(::mkstemp(temporary.data()));
  if (fd.get() < 0) {
    return make_error(ErrorCode::kIo, "{}: cannot create: {}", path.string(), reason(errno));
  }
  const auto fail = [&](int error) -> Status {
    ::unlink(temporary.c_str());
    return make_error(ErrorCode::kIo, "{}: cannot write: {}", path.string(), reason(error));
  };
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno);
    done += static_cast<std::size_t>(n);
  }
  // mkstemp makes the file private; the target should be as readable as any other new file.
  if (::fchmod(fd.get(), 0644) != 0 || ::fsync(fd.get()) != 0) return fail(errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(errno);
  return {};
}

}  // namespace ocellus::base
