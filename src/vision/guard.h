// No exception leaves the library: where its public functions begin, what was thrown becomes an
// error.
#pragma once

#include <exception>
#include <type_traits>
#include <utility>

#include "ocellus/error.h"
#include "runtime/failure.h"

namespace ocellus::vision {

// What `work` returns, a Result or Status; kOutOfMemory or kInternal where it throws.
template <typename Work>
std::invoke_result_t<Work> guarded(Work&& work) noexcept {
  try {
    return std::forward<Work>(work)();
  } catch (...) {
    return std::unexpected(
        runtime::error_from_exception(std::current_exception(), "the call failed"));
  }
}

}  // namespace ocellus::vision
