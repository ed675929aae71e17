// Ctrl-C while an answer is being made.
#pragma once

#include <functional>
#include <memory>

namespace ocellus::cli {

// While it lives, SIGINT and SIGTERM call `on_signal` (on a runtime thread) instead of ending the
// process. A second signal ends it at once. Does nothing where the shared runtime cannot be had.
class InterruptGuard {
 public:
  explicit InterruptGuard(std::function<void()> on_signal);
  ~InterruptGuard();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ocellus::cli
