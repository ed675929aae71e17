// The files that commands write where the user says.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "ocellus/error.h"

namespace ocellus::cli {

// Regular files appear whole or not at all. A symbolic link stays one: the file that it points to
// is written. Devices and FIFOs are written into, never replaced; a FIFO waits for its reader. kIo,
// kInvalidArgument for a directory or socket.
Status write_output_file(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace ocellus::cli
