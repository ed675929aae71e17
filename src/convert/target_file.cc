#include "convert/target_file.h"

#include "base/result.h"

namespace ocellus::convert {

using base::make_error;
namespace fs = std::filesystem;

Status check_target_file(const fs::path& path, const models::Checkpoint& source, bool replace) {
  std::error_code ec;
  if (!fs::exists(path, ec)) return {};
  for (const base::MappedFile& file : source.files) {
    if (fs::equivalent(path, file.path(), ec)) {
      return make_error(ErrorCode::kInvalidArgument, "{}: is being read, expected another name",
                        path.string());
    }
  }
  if (!fs::is_regular_file(path, ec))
    return make_error(ErrorCode::kInvalidArgument, "{}: expected a file", path.string());
  if (replace) return {};
  return make_error(ErrorCode::kInvalidArgument, "{}: exists already; --force replaces it",
                    path.string());
}

}  // namespace ocellus::convert
