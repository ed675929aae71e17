// Ctrl-C while an answer is being made.
#pragma once

#include <functional>
#include <memory>

namespace ocellus::cli {

// While it lives, signals call `on_signal` (on a runtime thread) instead of ending the process.
// Does nothing where the shared runtime cannot be had.
class InterruptGuard {
 public:
  enum class Signals {
    kFirst,           // SIGINT or SIGTERM, once: a second one ends the process
    kEveryInterrupt,  // SIGINT, as often as it comes
  };
  explicit InterruptGuard(std::function<void()> on_signal, Signals signals = Signals::kFirst);
  ~InterruptGuard();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ocellus::cli
