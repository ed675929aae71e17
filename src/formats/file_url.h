// file: URLs of this machine.
#pragma once

#include <string>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::formats {

// True for what begins with file://, in any case of letters.
bool is_file_url(std::string_view text) noexcept;

// The path of file:///PATH or file://localhost/PATH (RFC 8089), percent-decoded. kInvalidArgument
// naming `what`: another host, a bad escape, a NUL.
Result<std::string> parse_file_url(std::string_view url, std::string_view what);

}  // namespace ocellus::formats
