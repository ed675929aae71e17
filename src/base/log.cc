#include "base/log.h"

#include <mutex>
#include <utility>

namespace ocellus {
namespace {

struct SinkSlot {
  std::mutex mutex;
  LogSink sink;
};

// Process-wide, below the runtime: what kept the runtime from being made must be reportable too.
// Never destroyed, so threads may log until the very end.
SinkSlot& slot() {
  static auto* const instance = new SinkSlot;
  return *instance;
}

}  // namespace

void set_log_sink(LogSink sink) {
  const std::lock_guard lock(slot().mutex);
  slot().sink = std::move(sink);
}

namespace base {

void log(LogLevel level, std::string_view message) noexcept {
  try {
    const std::lock_guard lock(slot().mutex);
    if (slot().sink) slot().sink(level, message);
  } catch (...) {  // a log line is never worth a request
  }
}

}  // namespace base
}  // namespace ocellus
