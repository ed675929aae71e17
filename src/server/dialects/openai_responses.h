// OpenAI's POST /v1/responses, as Open Responses describes it; stateless: nothing is stored.
#pragma once

#include "server/dialects/dialect.h"

namespace ocellus::server {

std::expected<ParsedRequest, ApiError> parse_openai_responses(std::string_view body);

}  // namespace ocellus::server
