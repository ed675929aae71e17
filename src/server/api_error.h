// What went wrong with a request, before a dialect has put it into its own shape.
#pragma once

#include <string>

#include "ocellus/error.h"

namespace ocellus::server {

struct ApiError {
  unsigned status = 400;
  std::string code = {};     // stable, for machines: "model_not_found"
  std::string message = {};  // one line, never the payload itself
  std::string param = {};    // the part of the request that is meant: "messages[0].content[1]"
};

// `param` as above, where it is known. The cause of a failed download is told in general words:
// the client must not learn of this network.
ApiError api_error(const Error& error, std::string param = "");

// 404: a name that no model of this server has.
ApiError no_such_model(std::string_view name);

// OpenAI's and Anthropic's word for a status: "invalid_request_error", "rate_limit_error" ...
std::string_view error_type(unsigned status);

// Cut to what an answer may repeat of a request.
std::string short_message(std::string_view message);

}  // namespace ocellus::server
