#include "runtime/task_core.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <optional>

#include "base/log.h"
#include "runtime/failure.h"

namespace ocellus::runtime {
namespace asio = boost::asio;

namespace {

Error stop_error(ErrorCode why) noexcept {
  switch (why) {
    case ErrorCode::kCancelled:
      return make_error_nothrow(why, "cancelled");
    case ErrorCode::kDeadlineExceeded:
      return make_error_nothrow(why, "deadline exceeded");
    default:
      return make_error_nothrow(why, "Runtime unavailable: the process is ending");
  }
}

}  // namespace

// Touched on the strand only, but for the callback's registration, which is made before the
// coroutine can finish.
struct TaskCore::Async {
  explicit Async(const asio::any_io_executor& executor)
      : strand(asio::make_strand(executor)), timer(strand) {}

  asio::strand<asio::any_io_executor> strand;
  asio::cancellation_signal signal;
  asio::steady_timer timer;
  std::optional<ErrorCode> stopped;  // why the work was told to stop
  bool finished = false;
  CancelSource handle;  // the Task's own cancel()
  std::optional<CancelCallback> on_handle;
  std::optional<CancelCallback> on_token;
};

TaskCore::TaskCore() = default;
TaskCore::~TaskCore() = default;

void TaskCore::launch(Runtime& runtime, asio::awaitable<void> work, SpawnOptions options) noexcept {
  on_done_ = std::move(options.on_done);
  runtime_ = &runtime;
  if (options.cancel.cancelled()) {
    Error error = stop_error(ErrorCode::kCancelled);
    return complete(&error);
  }
  if (options.deadline.expired()) {  // expired work is never started
    Error error = stop_error(ErrorCode::kDeadlineExceeded);
    return complete(&error);
  }
  bool added = false;
  try {
    async_ = std::make_unique<Async>(runtime.executor());
    added = runtime.add_task(this);
    if (!added) {
      Error error = stop_error(ErrorCode::kUnavailable);
      return complete(&error);
    }
    const auto self = shared_from_this();
    // Everything else happens on the strand, in this order: the callbacks are registered before the
    // coroutine runs, so its end finds them complete.
    asio::post(async_->strand, [self, work = std::move(work), token = options.cancel,
                                deadline = options.deadline]() mutable {
      Async& a = *self->async_;
      try {
        const auto stop = [weak = std::weak_ptr(self)] {
          const auto core = weak.lock();
          if (!core) return;
          try {
            asio::post(core->async_->strand,
                       [core] { core->stop_on_strand(ErrorCode::kCancelled); });
          } catch (...) {
            base::log(base::LogLevel::kError, "a cancellation was lost: not enough memory");
          }
        };
        a.on_handle.emplace(a.handle.token(), stop);
        a.on_token.emplace(token, stop);
        if (!deadline.is_none()) {
          a.timer.expires_at(deadline.time());
          a.timer.async_wait([self](boost::system::error_code ec) {
            if (!ec) self->stop_on_strand(ErrorCode::kDeadlineExceeded);
          });
        }
        asio::co_spawn(a.strand, std::move(work),
                       asio::bind_cancellation_slot(
                           a.signal.slot(),
                           asio::bind_executor(a.strand, [self](std::exception_ptr exception) {
                             self->finish(exception);
                           })));
      } catch (...) {
        self->finish(std::current_exception());
      }
    });
  } catch (...) {
    if (added) runtime.remove_task(this);
    Error error = error_from_exception(std::current_exception(), "spawn");
    complete(&error);
  }
}

void TaskCore::stop_on_strand(ErrorCode why) noexcept {
  if (async_->finished || async_->stopped) return;
  async_->stopped = why;
  try {
    // Terminal: the only kind that every composed operation honours; the work ends anyway.
    async_->signal.emit(asio::cancellation_type::terminal);
  } catch (...) {
    base::log(base::LogLevel::kError, "a cancellation was lost: not enough memory");
  }
}

void TaskCore::finish(std::exception_ptr exception) noexcept {
  Async& a = *async_;
  a.finished = true;
  a.on_handle.reset();
  a.on_token.reset();
  try {
    a.timer.cancel();
  } catch (...) {  // it will fire and find the task finished
  }
  runtime_->remove_task(this);
  // A value that came just before the stop is still a value; any error after a stop is its
  // consequence, and the stop is what the caller must hear of.
  if (a.stopped && (exception || !has_value())) {
    Error error = stop_error(*a.stopped);
    complete(&error);
  } else if (exception) {
    Error error = error_from_exception(exception, "runtime task");
    complete(&error);
  } else {
    complete(nullptr);
  }
}

void TaskCore::abandon() noexcept {
  Error error = stop_error(ErrorCode::kUnavailable);
  complete(&error);
}

void TaskCore::complete(Error* error) noexcept {
  std::function<void()> on_done;
  {
    const std::lock_guard lock(mutex_);
    if (done_) return;
    if (error) store_error(std::move(*error));
    done_ = true;
    on_done = std::move(on_done_);
    on_done_ = nullptr;
  }
  changed_.notify_all();
  if (!on_done) return;
  try {
    on_done();
  } catch (...) {
    base::log(base::LogLevel::kError,
              error_from_exception(std::current_exception(), "completion callback").message);
  }
}

bool TaskCore::done() const {
  const std::lock_guard lock(mutex_);
  return done_;
}

bool TaskCore::wait(Deadline deadline) const {
  std::unique_lock lock(mutex_);
  if (done_) return true;
  if (runtime_->on_runtime_thread()) return false;
  if (!deadline.is_none()) {
    return changed_.wait_until(lock, deadline.time(), [&] { return done_; });
  }
  changed_.wait(lock, [&] { return done_; });
  return true;
}

void TaskCore::cancel() noexcept {
  if (async_) async_->handle.cancel();
}

}  // namespace ocellus::runtime
