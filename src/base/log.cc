#include "base/log.h"

#include <mutex>

namespace ocellus::base {
namespace {

struct SinkSlot {
  std::mutex mutex;
  LogSink sink;
};

// Logging is the one thing below the runtime that is process-wide: an error must be reportable even
// where the runtime could not be created. Never destroyed, so threads may log until the very end.
SinkSlot& slot() {
  static auto* const instance = new SinkSlot;
  return *instance;
}

}  // namespace

void set_log_sink(LogSink sink) {
  const std::lock_guard lock(slot().mutex);
  slot().sink = std::move(sink);
}

void log(LogLevel level, std::string_view message) noexcept {
  try {
    const std::lock_guard lock(slot().mutex);
    if (slot().sink) slot().sink(level, message);
  } catch (...) {  // a log line is never worth a request
  }
}

}  // namespace ocellus::base
