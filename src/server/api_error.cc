#include "server/api_error.h"

#include <fmt/format.h>

#include <utility>

#include "base/utf8.h"

namespace ocellus::server {

std::string short_message(std::string_view message) {
  constexpr std::size_t kMax = 600;
  const std::string valid = base::replace_invalid_utf8(message);
  if (valid.size() <= kMax) return valid;
  const std::string_view head = std::string_view(valid).substr(0, kMax);
  return std::string(head.substr(0, base::valid_utf8_prefix(head))) + " ...";
}

ApiError api_error(const Error& error, std::string param) {
  const ErrorInfo info = error_info(error.code);
  ApiError out{.status = static_cast<unsigned>(info.http_status),
               .code = std::string(info.name),
               .message = short_message(error.message),
               .param = std::move(param)};
  switch (error.code) {
    case ErrorCode::kContextFull:
      out.code = "context_length_exceeded";
      break;
    case ErrorCode::kUnavailable:
      out.code = "queue_full";
      break;
    // Nothing that a repeat would mend: clients repeat what is 500 and above.
    case ErrorCode::kForbidden:
    case ErrorCode::kFetchFailed:
      out.status = 400;
      out.code = "image_not_fetched";
      break;
    case ErrorCode::kNotFound:
      out.status = 400;
      break;
    default:
      break;
  }
  return out;
}

ApiError no_such_model(std::string_view name) {
  return {.status = 404,
          .code = "model_not_found",
          .message = short_message(
              fmt::format("model: expected one that this server has (GET /v1/models), found \"{}\"",
                          name.substr(0, 100))),
          .param = "model"};
}

std::string_view error_type(unsigned status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

}  // namespace ocellus::server
