// One of the protocols that clients speak, as the server's routes see it.
#pragma once

#include <expected>
#include <memory>

#include "server/generation.h"

namespace ocellus::server {

struct ParsedRequest {
  Generation generation;
  std::unique_ptr<AnswerFormat> format;
};

// Of a body; any thread.
using ParseRequest = std::expected<ParsedRequest, ApiError> (*)(std::string_view body);
// The dialect's own shape of an error.
using FormatError = Response (*)(const ApiError& error);

}  // namespace ocellus::server
