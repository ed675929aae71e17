// Where the library says what it noticed: a sink that the program sets; without one, nowhere.
#pragma once

#include <functional>
#include <string_view>

namespace ocellus::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogSink = std::function<void(LogLevel level, std::string_view message)>;

// Replaces the sink (empty: none). Thread safe. The sink may be called from any thread, one call at
// a time, and must not log.
void set_log_sink(LogSink sink);

// Hands a line to the sink. Never throws; what a sink throws is swallowed.
void log(LogLevel level, std::string_view message) noexcept;

}  // namespace ocellus::base
