#include "base/mapped_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file_calls.h"
#include "base/result.h"

namespace ocellus::base {
namespace {

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
  std::swap(guard_, other.guard_);
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
  guard_ = {};
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  OCELLUS_ASSIGN_OR_RETURN(InputFile opened, open_regular(path));
  MappedFile file;
  file.path_ = path;
  file.size_ = static_cast<std::size_t>(opened.size());
  file.mtime_ns_ = mtime_ns(opened.info);
  if (file.size_ > 0) {
    void* memory = ::mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, opened.fd.get(), 0);
    if (memory == MAP_FAILED) {
      return make_error(ErrorCode::kIo, "{}: cannot map {} bytes: {}", path.string(), file.size_,
                        errno_text(errno));
    }
    file.data_ = static_cast<const std::byte*>(memory);
    file.guard_ = MappingGuard(file.bytes());
  }
  file.fd_ = std::move(opened.fd);
  return file;
}

bool MappedFile::changed() const {
  struct stat info {};
  if (lost() || !fd_ || ::fstat(fd_.get(), &info) != 0) return true;
  return static_cast<std::size_t>(info.st_size) != size_ || mtime_ns(info) != mtime_ns_;
}

}  // namespace ocellus::base
