// A point in time by which something must be over. Steady clock: setting the system's time moves no
// deadline.
#pragma once

#include <algorithm>
#include <chrono>

namespace ocellus::runtime {

// Value type. The default is "none": never expires.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  constexpr Deadline() = default;
  constexpr explicit Deadline(Clock::time_point time) : time_(time) {}
  // `duration` from now; one too large for the clock gives none.
  static Deadline after(std::chrono::nanoseconds duration) {
    const auto now = Clock::now();
    if (duration >= Clock::time_point::max() - now) return Deadline();
    return Deadline(now + duration);
  }

  bool is_none() const { return time_ == Clock::time_point::max(); }
  bool expired() const { return !is_none() && Clock::now() >= time_; }
  Clock::time_point time() const { return time_; }

  friend Deadline earlier(Deadline a, Deadline b) { return Deadline(std::min(a.time_, b.time_)); }
  friend bool operator==(Deadline, Deadline) = default;

 private:
  Clock::time_point time_ = Clock::time_point::max();
};

}  // namespace ocellus::runtime
