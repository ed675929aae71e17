#include "runtime/task_core.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>

#include "base/log.h"
#include "runtime/failure.h"

namespace ocellus::runtime {
namespace asio = boost::asio;

Error TaskCore::stop_error(StopReason why) noexcept {
  switch (why) {
    case StopReason::kCancelled:
      return make_error_nothrow(ErrorCode::kCancelled, "cancelled");
    case StopReason::kDeadline:
      return make_error_nothrow(ErrorCode::kDeadlineExceeded, "deadline exceeded");
    case StopReason::kOwnerStops:
      return make_error_nothrow(ErrorCode::kUnavailable, "worker is shutting down");
    case StopReason::kProcessEnds:
      break;
  }
  return make_error_nothrow(ErrorCode::kUnavailable, "Runtime unavailable: the process is ending");
}

// Touched on the task's loop only, but for the callbacks' registration, which is made before the
// coroutine can finish.
struct TaskCore::Async {
  explicit Async(asio::any_io_executor loop) : executor(std::move(loop)), timer(executor) {}

  asio::any_io_executor executor;
  asio::cancellation_signal signal;
  asio::steady_timer timer;
  std::optional<StopReason> stopped;  // why the work was told to stop
  bool finished = false;
  CancelSource handle;  // the Task's own cancel()
  std::optional<CancelCallback> on_handle;
  std::optional<CancelCallback> on_token;
  std::optional<CancelCallback> on_stop;
};

// The coroutine's completion handler. Asio destroys it uncalled when it has no memory to continue
// the coroutine; the coroutine is then destroyed as well, and the task completes here.
class TaskCore::Completion {
 public:
  explicit Completion(std::shared_ptr<TaskCore> core) : core_(std::move(core)) {}
  Completion(Completion&&) noexcept = default;
  Completion& operator=(Completion&&) = delete;
  ~Completion() {
    if (core_) core_->finish(std::make_exception_ptr(std::bad_alloc()));
  }
  void operator()(std::exception_ptr exception) {
    std::exchange(core_, nullptr)->finish(std::move(exception));
  }

 private:
  std::shared_ptr<TaskCore> core_;
};

TaskCore::TaskCore() = default;
TaskCore::~TaskCore() = default;

void TaskCore::launch(Runtime& runtime, asio::awaitable<void> work, SpawnOptions options) noexcept {
  on_done_ = std::move(options.on_done);
  runtime_ = &runtime;
  const auto refuse = [&](StopReason why) {
    Error error = stop_error(why);
    complete(&error);
  };
  if (options.cancel.cancelled()) return refuse(StopReason::kCancelled);
  if (options.stop.cancelled()) return refuse(StopReason::kOwnerStops);
  if (options.deadline.expired()) return refuse(StopReason::kDeadline);  // never started
  bool added = false;
  try {
    async_ = std::make_unique<Async>(runtime.executor());
    added = runtime.add_task(this);
    if (!added) return refuse(StopReason::kProcessEnds);
    const auto self = shared_from_this();
    // Everything else happens on the loop, in this order: the callbacks are registered before the
    // coroutine runs, so its end finds them complete.
    asio::post(async_->executor, [self, done = Completion(self), work = std::move(work),
                                  cancel = options.cancel, stop = options.stop,
                                  deadline = options.deadline]() mutable {
      Async& a = *self->async_;
      const auto stopper = [weak = std::weak_ptr(self)](StopReason why) {
        return [weak, why] {
          if (const auto core = weak.lock()) core->request_stop(why);
        };
      };
      try {
        a.on_handle.emplace(a.handle.token(), stopper(StopReason::kCancelled));
        a.on_token.emplace(cancel, stopper(StopReason::kCancelled));
        a.on_stop.emplace(stop, stopper(StopReason::kOwnerStops));
        if (!deadline.is_none()) {
          a.timer.expires_at(deadline.time());
          a.timer.async_wait([self](boost::system::error_code ec) {
            if (!ec) self->stop_on_loop(StopReason::kDeadline);
          });
        }
        asio::co_spawn(a.executor, std::move(work),
                       asio::bind_cancellation_slot(
                           a.signal.slot(), asio::bind_executor(a.executor, std::move(done))));
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

void TaskCore::request_stop(StopReason why) noexcept {
  if (!try_for_memory([&] {
        asio::post(async_->executor, [core = shared_from_this(), why] { core->stop_on_loop(why); });
      })) {
    base::log(base::LogLevel::kError, "a cancellation was lost: not enough memory");
  }
}

void TaskCore::stop_on_loop(StopReason why) noexcept {
  if (async_->finished || async_->stopped) return;
  async_->stopped = why;
  // Terminal: the only kind that every composed operation honours; the work ends anyway.
  if (!try_for_memory([&] { async_->signal.emit(asio::cancellation_type::terminal); }))
    base::log(base::LogLevel::kError, "a cancellation was lost: not enough memory");
}

void TaskCore::finish(std::exception_ptr exception) noexcept {
  Async& a = *async_;
  if (std::exchange(a.finished, true)) return;
  a.on_handle.reset();
  a.on_token.reset();
  a.on_stop.reset();
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
  Error error = stop_error(StopReason::kProcessEnds);
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
