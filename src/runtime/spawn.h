// Starting asynchronous work from a thread that goes on with something else, and keeping hold of
// it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "ocellus/error.h"
#include "runtime/task_core.h"

namespace ocellus::runtime {

// The result's place. Written by the coroutine before the core says that it is done.
template <typename T>
class TaskState final : public TaskCore {
 public:
  void store(Result<T> result) { result_.emplace(std::move(result)); }
  Result<T> take() {
    if (!result_) {
      return std::unexpected(Error{ErrorCode::kInternal, "the task's result was already taken"});
    }
    Result<T> result = std::move(*result_);
    result_.reset();
    return result;
  }

 private:
  void store_error(Error error) noexcept override {
    result_.emplace(std::unexpected(std::move(error)));
  }
  bool has_value() const noexcept override { return result_ && result_->has_value(); }

  std::optional<Result<T>> result_;
};

// The owner of spawned work. Dropping it cancels the work and does not wait: the work ends on the
// runtime soon after, so a coroutine given to spawn() must own all that it uses (parameters by
// value). Movable; one thread at a time, but cancel() from any.
template <typename T>
class [[nodiscard]] Task {
 public:
  Task() = default;
  explicit Task(std::shared_ptr<TaskState<T>> state) : state_(std::move(state)) {}
  Task(Task&&) noexcept = default;
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      cancel();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~Task() { cancel(); }

  // Whether take() gives its answer without waiting. Always true for an empty task.
  bool ready() const { return !state_ || state_->done(); }
  // Waits for the end; false when the deadline comes first, or, on a runtime thread, at once.
  bool wait(Deadline deadline = {}) const { return !state_ || state_->wait(deadline); }
  // Waits and gives the result, once: the work's own; kCancelled, kDeadlineExceeded or kUnavailable
  // when it was stopped (SpawnOptions); kInternal or kOutOfMemory for an exception; kUnavailable at
  // the end of the process. When it returns, the coroutine and everything in it is gone.
  Result<T> take() {
    if (!state_) {
      return std::unexpected(Error{ErrorCode::kOutOfMemory, "spawn: not enough memory"});
    }
    if (!state_->wait({})) {
      return std::unexpected(
          Error{ErrorCode::kInternal, "waiting for a task on a runtime thread would be for ever"});
    }
    return state_->take();
  }
  // The work is told at once; take() still tells how it ended. A value that is already there stays.
  void cancel() noexcept {
    if (state_) state_->cancel();
  }

 private:
  std::shared_ptr<TaskState<T>> state_;
};

template <typename T>
boost::asio::awaitable<void> run_into(std::shared_ptr<TaskState<T>> state,
                                      boost::asio::awaitable<Result<T>> work) {
  state->store(co_await std::move(work));
}

// Runs `work` on the shared runtime, on one thread from beginning to end: what it awaits is
// continued there, one at a time, and its cancellation arrives there too. Never throws, never
// waits. Any thread.
template <typename T>
Task<T> spawn(Runtime& runtime, boost::asio::awaitable<Result<T>> work, SpawnOptions options = {}) {
  try {
    auto state = std::make_shared<TaskState<T>>();
    auto running = run_into(state, std::move(work));
    state->launch(runtime, std::move(running), std::move(options));
    return Task<T>(std::move(state));
  } catch (const std::bad_alloc&) {
    if (options.on_done) options.on_done();
    return Task<T>();  // its take() says so
  }
}

}  // namespace ocellus::runtime
