// The worker's end of its mailbox.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/log.h"
#include "ocellus/error.h"
#include "runtime/block_on.h"
#include "runtime/cancel.h"
#include "runtime/deadline.h"
#include "runtime/failure.h"
#include "runtime/mailbox.h"
#include "runtime/runtime.h"

namespace ocellus::runtime {

// What a worker answers: any movable type that can be told of its failure. fail() may come from the
// worker's thread only and must not throw.
template <typename T>
concept WorkerRequest = std::movable<T> && requires(T request, Error error) {
  request.fail(std::move(error));
};

// Requests that threw, one after the other; shared by worker and callers.
class FailureCount {
 public:
  static constexpr int kUnhealthy = 3;
  void failed() noexcept { in_a_row_.fetch_add(1, std::memory_order_relaxed); }
  void succeeded() noexcept { in_a_row_.store(0, std::memory_order_relaxed); }
  bool healthy() const noexcept { return in_a_row_.load(std::memory_order_relaxed) < kUnhealthy; }

 private:
  std::atomic<int> in_a_row_ = 0;
};

// The worker's side: its mailbox, and the runtime for work that ends when the worker is told to
// stop. Only the worker's thread uses it, but for the waker.
template <WorkerRequest Request>
class Inbox {
 public:
  using Event = typename Mailbox<Request>::Event;

  Inbox(Runtime& runtime, std::shared_ptr<Mailbox<Request>> mailbox, CancelToken stop,
        std::shared_ptr<FailureCount> failures)
      : runtime_(runtime),
        mailbox_(std::move(mailbox)),
        stop_(std::move(stop)),
        failures_(std::move(failures)) {}

  // The next request if there is one and the worker is not stopping.
  std::optional<Request> try_pop() {
    if (stopping()) return std::nullopt;
    return mailbox_->try_pop();
  }
  // Waits for it; nothing: the worker is to stop.
  std::optional<Request> pop() { return mailbox_->pop(); }
  // Waits for a request, a waker, the deadline or the shutdown.
  Event wait(Deadline deadline = {}) { return mailbox_->wait(deadline); }
  // Waits for a waker, the deadline or the shutdown: while no further request can be taken.
  Event wait_for_wake(Deadline deadline = {}) { return mailbox_->wait_for_wake(deadline); }
  // For SpawnOptions::on_done: ends a wait(). May outlive the worker.
  std::function<void()> waker() const {
    return [mailbox = mailbox_] { mailbox->wake(); };
  }
  bool stopping() const { return stop_.cancelled() || mailbox_->closed(); }
  // Cancelled by the shutdown: for long steps and for work that is spawned.
  const CancelToken& stop_token() const { return stop_; }
  Runtime& runtime() const { return runtime_; }
  // Ends the worker from within, as a shutdown request does.
  void close() { mailbox_->close(); }
  std::size_t waiting() const { return mailbox_->size(); }

  // runtime::block_on, which also ends, with kUnavailable, when the worker is told to stop.
  template <typename T>
  Result<T> block_on(boost::asio::awaitable<Result<T>> work, BlockOptions options = {}) {
    options.stop = stop_;
    return runtime::block_on(runtime_, std::move(work), std::move(options));
  }
  // runtime::spawn, stopped likewise; its end wakes a wait() unless on_done is given.
  template <typename T>
  Task<T> spawn(boost::asio::awaitable<Result<T>> work, SpawnOptions options = {}) {
    options.stop = stop_;
    if (!options.on_done) options.on_done = waker();
    return runtime::spawn(runtime_, std::move(work), std::move(options));
  }

  // Runs `step` on behalf of `request`; what it throws fails that request only. False: it threw.
  template <typename Step>
  bool protect(Request& request, Step&& step) {
    try {
      std::forward<Step>(step)();
      failures_->succeeded();
      return true;
    } catch (...) {
      Error error = error_from_exception(std::current_exception(), "request failed");
      base::log(base::LogLevel::kError, error.message);
      failures_->failed();
      request.fail(std::move(error));
      return false;
    }
  }

 private:
  Runtime& runtime_;
  std::shared_ptr<Mailbox<Request>> mailbox_;
  CancelToken stop_;
  std::shared_ptr<FailureCount> failures_;
};

}  // namespace ocellus::runtime
