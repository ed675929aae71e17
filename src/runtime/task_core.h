// What every spawned task has, whatever its result: completion, cancellation, deadline.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

#include "ocellus/error.h"
#include "runtime/cancel.h"
#include "runtime/deadline.h"
#include "runtime/runtime.h"

namespace ocellus::runtime {

struct SpawnOptions {
  CancelToken cancel = {};  // the request's: ends the work with kCancelled
  CancelToken stop = {};    // the owner's, such as a worker's: ends it with kUnavailable
  Deadline deadline = {};
  // Told once, when the result is there; on a runtime thread, or on the spawning one when the task
  // never started. Must be short. The place for Mailbox::wake().
  std::function<void()> on_done = {};
};

// Shared by the handle and the running coroutine. Users see Task (spawn.h).
class TaskCore : public std::enable_shared_from_this<TaskCore> {
 public:
  TaskCore();
  virtual ~TaskCore();
  TaskCore(const TaskCore&) = delete;
  TaskCore& operator=(const TaskCore&) = delete;

  // Runs `work`, which stores the result, on a loop of the runtime. Once. Never throws: what
  // cannot be started completes with an error.
  void launch(Runtime& runtime, boost::asio::awaitable<void> work, SpawnOptions options) noexcept;

  bool done() const;
  // False: the deadline came first, or the caller is on a runtime thread and it is not done.
  bool wait(Deadline deadline) const;
  void cancel() noexcept;
  // The runtime is ending and nothing runs any more: completes with kUnavailable.
  void abandon() noexcept;

 protected:
  // Both are called before done() is true, one at a time.
  virtual void store_error(Error error) noexcept = 0;
  virtual bool has_value() const noexcept = 0;

 private:
  struct Async;
  class Completion;
  enum class StopReason { kCancelled, kDeadline, kOwnerStops, kProcessEnds };
  static Error stop_error(StopReason why) noexcept;
  void request_stop(StopReason why) noexcept;
  void stop_on_loop(StopReason why) noexcept;
  void finish(std::exception_ptr exception) noexcept;
  void complete(Error* error) noexcept;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool done_ = false;
  std::function<void()> on_done_;
  Runtime* runtime_ = nullptr;
  std::unique_ptr<Async> async_;
};

}  // namespace ocellus::runtime
