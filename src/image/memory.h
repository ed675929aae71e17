// Saying that memory ran out when there may be none left to say it with; internal to src/image.
#pragma once

#include <new>
#include <utility>

#include "base/result.h"

namespace ocellus::image {

// kOutOfMemory with the message, or, where even that cannot be built, with a short one that needs
// no allocation.
template <typename... Args>
std::unexpected<Error> out_of_memory(fmt::format_string<Args...> format, Args&&... args) noexcept {
  try {
    return base::make_error(ErrorCode::kOutOfMemory, format, std::forward<Args>(args)...);
  } catch (...) {
    return std::unexpected(Error{ErrorCode::kOutOfMemory, "out of memory"});
  }
}

}  // namespace ocellus::image
