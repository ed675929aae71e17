#include "base/read_file.h"

#include <algorithm>
#include <cerrno>
#include <span>

#include "base/file_calls.h"
#include "base/result.h"

namespace ocellus::base {
namespace {

template <typename Container>
Result<Container> read_whole(const std::filesystem::path& path, std::size_t max_bytes) {
  OCELLUS_ASSIGN_OR_RETURN(const InputFile file, open_regular(path));
  const auto too_large = [&](const char* at_least, std::uint64_t bytes) {
    return make_error(ErrorCode::kInvalidArgument, "{}: expected at most {} bytes, found {}{}",
                      path.string(), max_bytes, at_least, bytes);
  };
  if (file.size() > max_bytes) return too_large("", file.size());
  // One byte more than its size, so that the end is seen without another round.
  Container content;
  content.resize(static_cast<std::size_t>(file.size()) + 1);
  std::size_t size = 0;
  while (true) {
    if (size == content.size()) content.resize(std::min(size * 2, max_bytes + 1));
    const auto rest = std::as_writable_bytes(std::span(content)).subspan(size);
    const ssize_t count = read_some(file.fd, path, size, rest);
    if (count < 0) {
      return make_error(ErrorCode::kIo, "{}: cannot read at offset {}: {}", path.string(), size,
                        errno_text(errno));
    }
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
    if (size > max_bytes) return too_large("at least ", size);
  }
  if (size < file.size()) {
    return make_error(ErrorCode::kIo, "{}: it became shorter: expected {} bytes, found {}",
                      path.string(), file.size(), size);
  }
  content.resize(size);
  return content;
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  return read_whole<std::string>(path, max_bytes);
}

Result<std::vector<std::byte>> read_file_bytes(const std::filesystem::path& path,
                                               std::size_t max_bytes) {
  return read_whole<std::vector<std::byte>>(path, max_bytes);
}

}  // namespace ocellus::base
