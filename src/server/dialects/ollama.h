// Ollama's API. Reference: https://github.com/ollama/ollama/blob/main/docs/api.md.
#pragma once

#include "server/dialects/dialect.h"

namespace ocellus::server {

struct Site;

std::expected<ParsedRequest, ApiError> parse_ollama_chat(std::string_view body);
std::expected<ParsedRequest, ApiError> parse_ollama_generate(std::string_view body);
Response ollama_error(const ApiError& error);

// GET: /api/version, /api/tags, /api/ps.
Response ollama_version(const Site& site, std::string_view rest);
Response ollama_tags(const Site& site, std::string_view rest);
Response ollama_ps(const Site& site, std::string_view rest);
// POST: /api/show, and /api/pull, which succeeds for what is here.
Response ollama_show(const Site& site, std::string_view body);
Response ollama_pull(const Site& site, std::string_view body);

}  // namespace ocellus::server
