#include "cli/interrupt.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <mutex>

#include "runtime/runtime.h"

namespace ocellus::cli {

struct InterruptGuard::State : std::enable_shared_from_this<State> {
  State(runtime::Runtime& runtime, std::function<void()> callback, Signals which)
      : signals(runtime.executor(), SIGINT),
        first_only(which == Signals::kFirst),
        on_signal(std::move(callback)) {
    if (first_only) signals.add(SIGTERM);
  }

  void listen() {
    signals.async_wait([self = shared_from_this()](boost::system::error_code ec, int) {
      if (ec) return;
      const std::lock_guard lock(self->mutex);
      if (self->first_only) {
        // From here on the default action is back.
        boost::system::error_code ignored;
        self->signals.clear(ignored);
      } else if (self->on_signal) {
        self->listen();
      }
      if (self->on_signal) self->on_signal();
    });
  }

  boost::asio::signal_set signals;
  const bool first_only;
  std::mutex mutex;  // the callback and its removal exclude each other
  std::function<void()> on_signal;
};

InterruptGuard::InterruptGuard(std::function<void()> on_signal, Signals signals) {
  runtime::Runtime* const runtime = runtime::shared_runtime();
  if (runtime == nullptr) return;
  state_ = std::make_shared<State>(*runtime, std::move(on_signal), signals);
  state_->listen();
}

InterruptGuard::~InterruptGuard() {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  state_->on_signal = nullptr;
  boost::system::error_code ignored;
  state_->signals.cancel(ignored);
}

}  // namespace ocellus::cli
