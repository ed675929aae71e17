#include "cli/picture_argument.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <variant>

#include "base/result.h"
#include "formats/file_url.h"

namespace ocellus::cli {
namespace {

namespace fs = std::filesystem;

struct Descriptor {
  int fd;
  bool owned;
  ~Descriptor() {
    if (owned && fd >= 0) ::close(fd);
  }
};

// Regular files, folders and what is not there are the model's to read or refuse.
bool is_pipe_or_device(const fs::path& path) {
  std::error_code ec;
  const fs::file_type type = fs::status(path, ec).type();
  return type == fs::file_type::fifo || type == fs::file_type::character ||
         type == fs::file_type::block;
}

Result<Picture> read_picture(const std::string& path_or_dash) {
  OCELLUS_ASSIGN_OR_RETURN(const std::string content, read_input(path_or_dash, kMaxPipedBytes));
  std::vector<std::byte> bytes(content.size());
  if (!bytes.empty()) std::memcpy(bytes.data(), content.data(), bytes.size());
  return Picture::from_bytes(std::move(bytes));
}

}  // namespace

Result<std::string> read_input(const std::string& path_or_dash, std::size_t max_bytes) {
  const bool standard = path_or_dash == "-";
  const std::string name = standard ? "standard input" : path_or_dash;
  const auto failed = [&](int error) {
    return base::make_error(
        error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo,
        "{}: cannot read: {}", name, std::generic_category().message(error));
  };
  const Descriptor file{
      standard ? STDIN_FILENO : ::open(path_or_dash.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY),
      !standard};
  if (file.fd < 0) return failed(errno);
  if (::isatty(file.fd) != 0) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "{}: expected a file or pipe, found a "
                            "terminal",
                            name);
  }
  std::string content;
  constexpr std::size_t kFirstRead = std::size_t{64} << 10;
  for (std::size_t size = 0;;) {
    content.resize(std::min(std::max(size * 2, kFirstRead), max_bytes + 1));
    const ssize_t count = ::read(file.fd, content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(errno);
    size += static_cast<std::size_t>(count);
    if (count == 0) {
      content.resize(size);
      return content;
    }
    if (size > max_bytes) {
      return base::make_error(ErrorCode::kInvalidArgument, "{}: expected at most {} bytes", name,
                              max_bytes);
    }
  }
}

bool is_pipe(const std::string& path_or_dash) {
  return path_or_dash == "-" || is_pipe_or_device(path_or_dash);
}

Result<Picture> open_picture(const std::string& text) {
  if (text == "-") return read_picture(text);
  if (formats::is_file_url(text)) {
    OCELLUS_ASSIGN_OR_RETURN(const std::string path, formats::parse_file_url(text, text));
    return is_pipe_or_device(path) ? read_picture(path) : Picture::from_path(path);
  }
  Picture picture = Picture::parse(text);
  if (const auto* file = std::get_if<Picture::Path>(&picture.source());
      file != nullptr && is_pipe_or_device(file->path)) {
    return read_picture(text);
  }
  return picture;
}

Status read_pipes(std::vector<Message>& messages) {
  for (Message& message : messages) {
    for (Part& part : message.parts) {
      auto* const picture = std::get_if<Picture>(&part);
      if (picture == nullptr) continue;
      const auto* const file = std::get_if<Picture::Path>(&picture->source());
      if (file == nullptr || !is_pipe_or_device(file->path)) continue;
      OCELLUS_ASSIGN_OR_RETURN(*picture, read_picture(file->path.string()));
    }
  }
  return {};
}

}  // namespace ocellus::cli
