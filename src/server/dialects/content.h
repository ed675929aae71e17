// Pictures and texts of a request, checked before it is admitted.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "ocellus/message.h"
#include "server/api_error.h"
#include "server/fields.h"
#include "server/generation.h"

namespace ocellus::server {

// The messages of OpenAI's chat shape, at the field `name` of the body. Mistakes go to `fields`.
std::vector<Message> read_messages(Fields& fields, std::string_view name);

// data: URLs become the pictures they hold. An error names the part, `messages[i].content[j]`, and
// is told for what is no picture, and for a picture's bytes in a text.
std::optional<ApiError> settle_pictures(std::vector<Message>& messages);

}  // namespace ocellus::server
