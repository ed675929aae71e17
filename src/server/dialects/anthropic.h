// Anthropic's POST /v1/messages. Reference: https://docs.anthropic.com/en/api/messages.
#pragma once

#include "server/dialects/dialect.h"

namespace ocellus::server {

std::expected<ParsedRequest, ApiError> parse_anthropic(std::string_view body);
Response anthropic_error(const ApiError& error);

}  // namespace ocellus::server
