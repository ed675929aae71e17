// Small files, read whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::base {

// Reads a regular file whole, also one that grows meanwhile or that claims to be empty, as those of
// /proc do. Blocks; never waits for a pipe or device. kNotFound; kIo with the offset;
// kInvalidArgument for what is not a regular file or has more than `max_bytes`.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes);
Result<std::vector<std::byte>> read_file_bytes(const std::filesystem::path& path,
                                               std::size_t max_bytes);

}  // namespace ocellus::base
