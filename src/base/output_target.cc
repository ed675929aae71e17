#include "base/output_target.h"

#include "base/result.h"

namespace ocellus::base {

namespace fs = std::filesystem;

Result<OutputTarget> look_at_output_target(const fs::path& path) {
  std::error_code ec;
  const auto refused = [&](std::string_view kind) {
    return make_error(ErrorCode::kInvalidArgument, "{}: expected the name of a file, found {}",
                      path.string(), kind);
  };
  switch (fs::symlink_status(path, ec).type()) {
    case fs::file_type::not_found:
      return OutputTarget::kNothing;
    case fs::file_type::regular:
      return OutputTarget::kFile;
    case fs::file_type::character:
    case fs::file_type::block:
    case fs::file_type::fifo:
      return OutputTarget::kDeviceOrPipe;
    case fs::file_type::symlink:
      return refused("a symbolic link, which is not written through");
    case fs::file_type::directory:
      return refused("a directory");
    case fs::file_type::socket:
      return refused("a socket");
    default:
      return make_error(ErrorCode::kIo, "{}: {}", path.string(), ec.message());
  }
}

}  // namespace ocellus::base
