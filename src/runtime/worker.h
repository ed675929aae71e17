// Worker: the pattern for anything long-lived that owns state nobody else may touch and does
// asynchronous work again and again.
//
// A worker is one dedicated thread. When it starts it takes the shared runtime, once, and keeps the
// reference for life; a factory then makes its state inside the thread; the outcome goes to whoever
// waits in wait_ready(); after that it serves a bounded mailbox until it is shut down. The state
// needs no locks: one thread makes it, uses it and destroys it.
//
// Simple form: the state handles one request after the other, waiting for I/O with block_on().
//
//   struct HashRequest {                              // a request can always be answered:
//     std::filesystem::path path;
//     std::promise<Result<base::Sha256>> answer;
//     void fail(Error error) { answer.set_value(std::unexpected(std::move(error))); }
//   };
//   struct Hasher {
//     Runtime& runtime;
//     void handle(HashRequest& request) {             // may throw: fails this request only
//       auto bytes = block_on(runtime, async_read(runtime, request.path));
//       request.answer.set_value(bytes.transform(hash));
//     }
//   };
//   auto worker = Worker<Hasher, HashRequest>::start(
//       {.name = "hasher"}, [](Runtime& runtime, const CancelToken&) {
//         return Result<std::unique_ptr<Hasher>>(std::make_unique<Hasher>(runtime));
//       });
//   OCELLUS_RETURN_IF_ERROR((*worker)->wait_ready());
//   (*worker)->submit(std::move(request));            // kUnavailable at once when the mailbox is
//   full
//
// Own loop: a state with run(Inbox<Request>&) instead of handle() decides itself when it takes
// requests, so it can serve several at a time. It spawns I/O with on_done = inbox.waker(), works on
// while there is work, and sleeps in inbox.wait() when there is none:
//
//   void run(Inbox<Request>& inbox) {
//     while (!inbox.stopping()) {
//       while (has_room()) if (auto r = inbox.try_pop()) inbox.protect(*r, [&] { admit(*r); });
//       else break; if (!step()) inbox.wait();
//     }
//   }
//
// The simple form is this loop, written once (serve_requests below).
#pragma once

#include <atomic>
#include <concepts>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "ocellus/error.h"
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

// How a worker's start went, for everybody who wants to know.
class InitChannel {
 public:
  void report(Status status);
  // The outcome, as often as asked. kCancelled or kDeadlineExceeded when that came first; the start
  // itself goes on.
  Status wait(const CancelToken& cancel, Deadline deadline) const;
  // Nothing while it is not known.
  std::optional<Status> peek() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::optional<Status> status_;
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

// The worker's side of the mailbox. Only the worker's thread uses it, but for the waker.
template <WorkerRequest Request>
class Inbox {
 public:
  using Event = typename Mailbox<Request>::Event;

  Inbox(std::shared_ptr<Mailbox<Request>> mailbox, CancelToken stop,
        std::shared_ptr<FailureCount> failures)
      : mailbox_(std::move(mailbox)), stop_(std::move(stop)), failures_(std::move(failures)) {}

  // The next request if there is one and the worker is not stopping.
  std::optional<Request> try_pop() {
    if (stopping()) return std::nullopt;
    return mailbox_->try_pop();
  }
  // Waits for it; nothing: the worker is to stop.
  std::optional<Request> pop() { return mailbox_->pop(); }
  // Waits for a request, a waker, the deadline or the shutdown.
  Event wait(Deadline deadline = {}) { return mailbox_->wait(deadline); }
  // For SpawnOptions::on_done: ends a wait(). May outlive the worker.
  std::function<void()> waker() const {
    return [mailbox = mailbox_] { mailbox->wake(); };
  }
  bool stopping() const { return stop_.cancelled() || mailbox_->closed(); }
  // Cancelled by the shutdown: for long steps and for work that is spawned.
  const CancelToken& stop_token() const { return stop_; }
  // Ends the worker from within, as a shutdown request does.
  void close() { mailbox_->close(); }
  std::size_t waiting() const { return mailbox_->size(); }

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
  std::shared_ptr<Mailbox<Request>> mailbox_;
  CancelToken stop_;
  std::shared_ptr<FailureCount> failures_;
};

// One request after the other: the loop of a state that only has handle().
template <typename State, WorkerRequest Request>
void serve_requests(State& state, Inbox<Request>& inbox) {
  while (std::optional<Request> request = inbox.pop()) {
    inbox.protect(*request, [&] { state.handle(*request); });
  }
}

struct WorkerOptions {
  std::string name = "ocellus-worker";  // at most 15 characters are shown by the system
  std::size_t mailbox_capacity = 8;
};

// The handle. Its members may be called from any thread; destroying it shuts down and joins
// (destroyed by the worker's own thread, it cannot join and the thread ends by itself).
template <typename State, WorkerRequest Request>
class Worker {
 public:
  // Called once, on the worker's thread. The token is cancelled when the worker is shut down
  // meanwhile. An exception is an error.
  using Factory = std::move_only_function<Result<std::unique_ptr<State>>(Runtime& runtime,
                                                                         const CancelToken& stop)>;

  // kUnavailable when the thread cannot be had. The rest of the start is told by wait_ready().
  static Result<std::unique_ptr<Worker>> start(WorkerOptions options, Factory factory) {
    try {
      std::unique_ptr<Worker> worker(new Worker(options.mailbox_capacity));
      const auto shared_factory = std::make_shared<Factory>(std::move(factory));
      auto thread = base::start_thread(
          options.name, [core = worker->core_, shared_factory] { serve(*core, *shared_factory); });
      if (!thread) return std::unexpected(std::move(thread).error());
      worker->thread_ = *std::move(thread);
      return worker;
    } catch (...) {
      return std::unexpected(error_from_exception(std::current_exception(), options.name));
    }
  }

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    shutdown();
    if (thread_.get_id() == std::this_thread::get_id()) thread_.detach();
  }

  // Waits until the state is made, and says how that went: the factory's error, or kUnavailable
  // "Runtime unavailable: ...".
  Status wait_ready(const CancelToken& cancel = {}, Deadline deadline = {}) const {
    return core_->init.wait(cancel, deadline);
  }
  std::optional<Status> ready() const { return core_->init.peek(); }

  // Never waits. kUnavailable: the mailbox is full, or the worker has ended; the error of the start
  // where that failed. The request then stays with the caller, untouched. Requests may be put in before the worker is ready; when its start
  // fails they are told so.
  Status submit(Request&& request) {
    auto status = core_->mailbox->try_push(std::move(request));
    if (!status && core_->mailbox->closed()) {
      if (const auto start = ready(); start && !*start) return *start;
      return std::unexpected(Error{ErrorCode::kUnavailable, "worker is shutting down"});
    }
    return status;
  }

  // Asks the worker to stop; does not wait. Requests that it has not begun get kUnavailable.
  void shutdown() noexcept {
    core_->stop.cancel();
    core_->mailbox->close();
  }

  // False after three requests in a row that threw.
  bool healthy() const noexcept { return core_->failures->healthy(); }
  std::size_t waiting() const { return core_->mailbox->size(); }

 private:
  // What the thread needs; outlives the handle if it must.
  struct Core {
    explicit Core(std::size_t capacity) : mailbox(std::make_shared<Mailbox<Request>>(capacity)) {}
    std::shared_ptr<Mailbox<Request>> mailbox;
    std::shared_ptr<FailureCount> failures = std::make_shared<FailureCount>();
    CancelSource stop;
    InitChannel init;
  };

  explicit Worker(std::size_t capacity) : core_(std::make_shared<Core>(capacity)) {}

  static Result<std::unique_ptr<State>> make_state(Core& core, Factory& factory) {
    try {
      auto runtime = try_shared_runtime();  // logs the reason itself
      if (!runtime) return std::unexpected(std::move(runtime).error());
      auto state = factory(**runtime, core.stop.token());
      factory = nullptr;  // what it captured goes with the start
      return state;
    } catch (...) {
      return std::unexpected(error_from_exception(std::current_exception(), "worker start"));
    }
  }

  static void serve(Core& core, Factory& factory) noexcept {
    auto state = make_state(core, factory);
    Error left = make_error_nothrow(ErrorCode::kUnavailable, "worker is shutting down");
    if (state) {
      core.init.report({});
      try {
        Inbox<Request> inbox(core.mailbox, core.stop.token(), core.failures);
        if constexpr (requires { (*state)->run(inbox); }) {
          (*state)->run(inbox);
        } else {
          serve_requests(**state, inbox);
        }
      } catch (...) {
        left = error_from_exception(std::current_exception(), "worker ended");
        base::log(base::LogLevel::kError, left.message);
      }
    } else {
      left = std::move(state).error();
    }
    // The report comes first: whoever finds the door closed can read why, and whoever is told of
    // the failure can try again at once.
    if (!state) core.init.report(std::unexpected(make_error_nothrow(left.code, left.message)));
    core.mailbox->close();
    while (auto request = core.mailbox->try_pop())
      request->fail(make_error_nothrow(left.code, left.message));
  }

  std::shared_ptr<Core> core_;
  std::jthread thread_;  // last: joined first
};

}  // namespace ocellus::runtime
