#include "cli/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <system_error>

#include "base/atomic_file.h"
#include "base/output_target.h"
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

std::string head_of(const fs::path& path) {
  std::string head(std::size_t{4} << 10, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), std::ssize(head));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return head;
}

}  // namespace

Status check_output_file(const fs::path& path, const OutputRules& rules) {
  OCELLUS_ASSIGN_OR_RETURN(const base::OutputTarget target, base::look_at_output_target(path));
  if (rules.force || target == base::OutputTarget::kNothing) return {};
  if (target == base::OutputTarget::kFile && rules.is_own && rules.is_own(head_of(path))) return {};
  return base::make_error(
      ErrorCode::kInvalidArgument, "{}: {}", path.string(),
      target == base::OutputTarget::kFile
          ? "exists already and was not written by this command; --force replaces it"
          : "expected the name of a file, found a device or pipe; --force writes into it");
}

Status write_output_file(const fs::path& path, std::span<const std::byte> bytes,
                         const OutputRules& rules) {
  OCELLUS_RETURN_IF_ERROR(check_output_file(path, rules));
  OCELLUS_ASSIGN_OR_RETURN(const base::OutputTarget target, base::look_at_output_target(path));
  if (target == base::OutputTarget::kDeviceOrPipe) return write_into(path, bytes);
  return base::write_file_atomically(path, bytes);
}

}  // namespace ocellus::cli
