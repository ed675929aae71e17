// Where the library tells what it noticed: a sink that the program sets; without one, nowhere. The
// library itself never prints.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "ocellus/export.h"

namespace ocellus {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

// Gets one line without its end. Called from any thread, one call at a time. It must be short, must
// not call into Ocellus, and what it throws is swallowed.
using LogSink = std::function<void(LogLevel level, std::string_view message)>;

// Replaces the process's sink; empty: none. Any thread. When it returns, the old sink is not called
// any more.
OCELLUS_API void set_log_sink(LogSink sink);

}  // namespace ocellus
