// OpenAI's POST /v1/chat/completions.
// Reference: https://platform.openai.com/docs/api-reference/chat; extensions of llama.cpp and vLLM
// where clients send them (docs/server.md).
#pragma once

#include "server/dialects/dialect.h"

namespace ocellus::server {

std::expected<ParsedRequest, ApiError> parse_openai_chat(std::string_view body);
Response openai_error(const ApiError& error);

}  // namespace ocellus::server
