// The files that commands write where the user says.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::cli {

struct OutputRules {
  bool force = false;
  // By its first bytes (4 KiB at most): whether a file that is there was written by this command
  // and may be replaced without force.
  std::function<bool(std::string_view head)> is_own = {};
};

// Before the work for it is done: kInvalidArgument for a symbolic link, a directory or a socket,
// and without force for a device, a pipe or a file that is not the command's own.
Status check_output_file(const std::filesystem::path& path, const OutputRules& rules);

// Regular files appear whole or not at all; what check_output_file() refuses is not touched. With
// force, devices and pipes are written into, never replaced; a pipe waits for its reader. kIo too.
Status write_output_file(const std::filesystem::path& path, std::span<const std::byte> bytes,
                         const OutputRules& rules);

}  // namespace ocellus::cli
