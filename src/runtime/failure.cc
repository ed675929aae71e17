#include "runtime/failure.h"

#include <fmt/format.h>

#include <new>

namespace ocellus::runtime {

Error error_from_exception(std::exception_ptr exception, std::string_view where) noexcept {
  // Building the text may itself run out of memory; then the code alone has to do.
  try {
    if (!exception) return Error{ErrorCode::kInternal, fmt::format("{}: failed", where)};
    try {
      std::rethrow_exception(exception);
    } catch (const std::bad_alloc&) {
      return Error{ErrorCode::kOutOfMemory, fmt::format("{}: not enough memory", where)};
    } catch (const std::exception& e) {
      return Error{ErrorCode::kInternal, fmt::format("{}: {}", where, e.what())};
    } catch (...) {
      return Error{ErrorCode::kInternal,
                   fmt::format("{}: an exception that is not a std::exception", where)};
    }
  } catch (...) {
    return Error{ErrorCode::kOutOfMemory, {}};
  }
}

Error make_error_nothrow(ErrorCode code, std::string_view message) noexcept {
  try {
    return Error{code, std::string(message)};
  } catch (...) {
    return Error{code, {}};
  }
}

}  // namespace ocellus::runtime
