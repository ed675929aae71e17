// What lies under a name that is to be written.
#pragma once

#include <filesystem>

#include "ocellus/error.h"

namespace ocellus::base {

enum class OutputTarget { kNothing, kFile, kDeviceOrPipe };

// kInvalidArgument for what is never written through or replaced: a symbolic link, a directory, a
// socket. kIo when it cannot be told.
Result<OutputTarget> look_at_output_target(const std::filesystem::path& path);

}  // namespace ocellus::base
