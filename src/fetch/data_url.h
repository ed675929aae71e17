// data: URLs (RFC 2397): the picture is in the text itself.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::fetch {

// Base64 (padding may be missing, nothing else may be wrong) or percent-encoded. The media type is
// ignored: content decides. kBadImage when it is malformed or decodes to more than max_bytes.
Result<std::vector<std::byte>> parse_data_url(std::string_view url, std::size_t max_bytes);

}  // namespace ocellus::fetch
