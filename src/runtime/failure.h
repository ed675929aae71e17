// Exceptions stop at the runtime's edge: here they become errors.
#pragma once

#include <chrono>
#include <exception>
#include <string_view>
#include <thread>

#include "ocellus/error.h"

namespace ocellus::runtime {

// bad_alloc gives kOutOfMemory, all else kInternal with the exception's text. `where` begins the
// message. Null gives kInternal.
Error error_from_exception(std::exception_ptr exception, std::string_view where) noexcept;

// For places that must not throw: without the memory for the message, the code alone.
Error make_error_nothrow(ErrorCode code, std::string_view message) noexcept;

// For steps that must not get lost, such as telling a waiter: tries again, a millisecond apart, for
// as long as the step throws, at most kTries times. False: it threw each time. Without an exception
// it costs nothing.
template <typename Step>
bool try_for_memory(Step&& step) noexcept {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    try {
      step();
      return true;
    } catch (...) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return false;
}

}  // namespace ocellus::runtime
