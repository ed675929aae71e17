#include "engine/slice_clock.h"

#include <algorithm>

namespace ocellus::engine {
namespace {

// The newest measurement counts this much: machines slow down and speed up within seconds.
constexpr double kNewest = 0.25;

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

void SliceClock::measured(std::int64_t rows, std::chrono::nanoseconds time) {
  const double each = seconds(time) / static_cast<double>(std::max<std::int64_t>(1, rows));
  row_seconds_ = row_seconds_ == 0 ? each : row_seconds_ + kNewest * (each - row_seconds_);
}

bool SliceClock::has_time_for(std::int64_t rows) const {
  return seconds(slice_end_ - now()) >= row_seconds_ * static_cast<double>(rows);
}

std::int64_t SliceClock::rows_in(std::chrono::nanoseconds time, std::int64_t fallback) const {
  if (row_seconds_ <= 0) return fallback;
  constexpr double kMost = 1 << 24;
  return static_cast<std::int64_t>(std::clamp(seconds(time) / row_seconds_, 1.0, kMost));
}

}  // namespace ocellus::engine
