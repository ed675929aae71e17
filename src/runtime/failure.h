// Exceptions stop at the runtime's edge: here they become errors.
#pragma once

#include <exception>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::runtime {

// bad_alloc gives kOutOfMemory, all else kInternal with the exception's text. `where` begins the
// message. Null gives kInternal.
Error error_from_exception(std::exception_ptr exception, std::string_view where) noexcept;

// For places that must not throw: without the memory for the message, the code alone.
Error make_error_nothrow(ErrorCode code, std::string_view message) noexcept;

}  // namespace ocellus::runtime
