// data: URLs (RFC 2397), which hold the picture itself.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::fetch {

// Base64 (padding may be missing) or percent-encoded. The media type is ignored: the content
// decides. kBadImage when it is malformed or decodes to more than max_bytes. Any thread.
Result<std::vector<std::byte>> parse_data_url(std::string_view url, std::size_t max_bytes);

}  // namespace ocellus::fetch
