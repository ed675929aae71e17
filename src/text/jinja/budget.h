// What is left of a rendering's limits, charged before the work is done or the memory taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "text/jinja/limits.h"

namespace ocellus::text::jinja {

// What is wrong with a template. Thrown inside this folder only.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One per rendering; one thread. Every charge throws Failure when the limit is passed.
class Budget {
 public:
  explicit Budget(const Limits& limits = {}) : limits_(limits) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  void steps(std::int64_t count = 1) {
    if (count > limits_.steps - steps_) exceeded("steps", limits_.steps);
    steps_ += count;
  }
  // A walk over `size` bytes, or so many short comparisons.
  void scan(std::size_t size) { steps(static_cast<std::int64_t>(size / 64)); }
  // `count` bytes more for a string that has `held`.
  void bytes(std::size_t count, std::size_t held = 0);
  void items(std::size_t count = 1);
  // A list or mapping of this depth is about to be made.
  void value_depth(int depth) const;

  // A list or mapping with something of a user's in it was written as Python's str() does.
  bool wrote_container() const { return wrote_container_; }
  void set_wrote_container() { wrote_container_ = true; }

  // Where the template is, for messages.
  int line() const { return line_; }
  void set_line(int line) { line_ = line; }

  // One level of evaluation for as long as it lives.
  class Level {
   public:
    explicit Level(Budget& budget) : budget_(budget) {
      if (budget.depth_ >= budget.limits_.call_depth)
        exceeded("levels of evaluation", budget.limits_.call_depth);
      ++budget.depth_;
    }
    ~Level() { --budget_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Budget& budget_;
  };

 private:
  [[noreturn]] static void exceeded(std::string_view what, std::int64_t limit);

  Limits limits_;
  std::int64_t steps_ = 0, bytes_ = 0, items_ = 0;
  int depth_ = 0;
  int line_ = 0;
  bool wrote_container_ = false;
};

}  // namespace ocellus::text::jinja
