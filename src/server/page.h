// The page at `/` and its files, and the description of all paths at /openapi.json, which are part of
// the program.
#pragma once

#include <optional>
#include <string_view>

#include "server/http/message.h"

namespace ocellus::server {

// Nothing where the path is none of the page's. With a policy that lets it load nothing from
// elsewhere (https://www.w3.org/TR/CSP3/).
std::optional<Response> page_file(std::string_view path);

}  // namespace ocellus::server
