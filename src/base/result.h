// Helpers around Result<T>: building errors with fmt, and handing them up.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "ocellus/error.h"

namespace ocellus::base {

// make_error(kBadModel, "{}: expected {}, found {}", file, a, b)
template <typename... Args>
std::unexpected<Error> make_error(ErrorCode code, fmt::format_string<Args...> format,
                                  Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// Puts a context ("model.safetensors: ") before an error's message.
inline std::unexpected<Error> with_context(Error error, std::string_view context) {
  error.message = fmt::format("{}: {}", context, error.message);
  return std::unexpected(std::move(error));
}

}  // namespace ocellus::base

#define OCELLUS_CONCAT_INNER(a, b) a##b
#define OCELLUS_CONCAT(a, b) OCELLUS_CONCAT_INNER(a, b)

// Returns the error of a Result or Status expression from the enclosing function, else goes on.
#define OCELLUS_RETURN_IF_ERROR(expression)                      \
  do {                                                           \
    if (auto ocellus_status = (expression); !ocellus_status) {   \
      return std::unexpected(std::move(ocellus_status).error()); \
    }                                                            \
  } while (false)

// OCELLUS_ASSIGN_OR_RETURN(auto value, compute()): declares or assigns, or returns the error.
#define OCELLUS_ASSIGN_OR_RETURN(target, expression) \
  OCELLUS_ASSIGN_OR_RETURN_IMPL(OCELLUS_CONCAT(ocellus_result_, __LINE__), target, expression)
#define OCELLUS_ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto result = (expression);                                     \
  if (!result) return std::unexpected(std::move(result).error()); \
  target = *std::move(result)
