// Pictures as people name them on a command line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "ocellus/message.h"

namespace ocellus::cli {

// The longest file that is read here, and not by the model.
inline constexpr std::size_t kMaxPipedBytes = std::size_t{256} << 20;

// http://, https:// and data: are URLs; file:// and all else is a path; "-" is standard input. What
// is no regular file (a pipe, a device) is read now, and waits for its writer. kInvalidArgument,
// kNotFound, kIo.
Result<Picture> open_picture(const std::string& text);

// The same for pictures that are named inside messages: those that are no regular files are read.
Status read_pipes(std::vector<Message>& messages);

// "-", or the path of a pipe or device: to be read once, to its end.
bool is_pipe(const std::string& path_or_dash);

// Standard input, or a file that need not be regular, to its end. kIo, kNotFound, kInvalidArgument
// when it is larger than max_bytes, or a terminal.
Result<std::string> read_input(const std::string& path_or_dash, std::size_t max_bytes);

}  // namespace ocellus::cli
