// Pictures from files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::fetch {

// Reads a regular file whole; blocks. Never waits for a pipe or device: those are refused.
// kNotFound, kIo, kBadImage when it is no regular file or larger than max_bytes.
Result<std::vector<std::byte>> read_image_file(const std::filesystem::path& path,
                                               std::size_t max_bytes);

}  // namespace ocellus::fetch
