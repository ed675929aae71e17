// Measures what a layer costs for each row of a prompt, and says how many rows fit into a slice.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace ocellus::engine {

// One thread.
class SliceClock {
 public:
  using Clock = std::chrono::steady_clock;
  using Now = std::function<Clock::time_point()>;

  SliceClock(std::chrono::nanoseconds slice, Now now) : slice_(slice), now_(std::move(now)) {}

  Clock::time_point now() const { return now_ ? now_() : Clock::now(); }

  // A slice begins; every piece of work in it is told.
  void begin() { slice_end_ = now() + slice_; }
  void measured(std::int64_t rows, std::chrono::nanoseconds time);
  // Whether a layer of so many rows still fits.
  bool has_time_for(std::int64_t rows) const;

  // Rows of which a layer takes so long; `fallback` before anything was measured.
  std::int64_t rows_in(std::chrono::nanoseconds time, std::int64_t fallback) const;

 private:
  std::chrono::nanoseconds slice_;
  Now now_;
  Clock::time_point slice_end_{};
  double row_seconds_ = 0;  // of a layer; 0: not known
};

}  // namespace ocellus::engine
