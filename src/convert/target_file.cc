#include "convert/target_file.h"

#include "base/output_target.h"
#include "base/result.h"

namespace ocellus::convert {

using base::make_error;
namespace fs = std::filesystem;

Status check_target_file(const fs::path& path, const models::Checkpoint& source, bool replace) {
  OCELLUS_ASSIGN_OR_RETURN(const base::OutputTarget target, base::look_at_output_target(path));
  if (target == base::OutputTarget::kNothing) return {};
  std::error_code ec;
  for (const base::MappedFile& file : source.files) {
    if (fs::equivalent(path, file.path(), ec)) {
      return make_error(ErrorCode::kInvalidArgument, "{}: is being read, expected another name",
                        path.string());
    }
  }
  if (target != base::OutputTarget::kFile) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: expected the name of a file, found a device or pipe", path.string());
  }
  if (replace) return {};
  return make_error(ErrorCode::kInvalidArgument, "{}: exists already; --force replaces it",
                    path.string());
}

}  // namespace ocellus::convert
