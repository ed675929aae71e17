// Files that commands write.
#pragma once

#include <filesystem>

#include "models/checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::convert {

// Whether a file may be written at `path`: there is nothing, or with `replace` a regular file that
// `source` is not read from, by whatever name. kInvalidArgument.
Status check_target_file(const std::filesystem::path& path, const models::Checkpoint& source,
                         bool replace);

}  // namespace ocellus::convert
