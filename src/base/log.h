// Lines for the log sink that the program set (ocellus/log.h).
#pragma once

#include <string_view>

#include "ocellus/log.h"

namespace ocellus::base {

using ocellus::LogLevel;

// Hands a line to the sink. Never throws. Any thread, but not from a sink.
void log(LogLevel level, std::string_view message) noexcept;

}  // namespace ocellus::base
