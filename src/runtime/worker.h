// Worker: the pattern for anything long-lived that owns state nobody else may touch and does
// asynchronous work again and again.
//
// A worker is one dedicated thread. When it starts it takes the shared runtime, once, and keeps the
// reference for life; a factory then makes its state inside the thread; the outcome goes to
// those who wait in wait_ready(); after that it serves a bounded mailbox until it is shut down. The
// state needs no locks: one thread makes it, uses it and destroys it.
//
// Whatever ends a worker (a shutdown, an exception, a loop that returns), everybody is told: who
// waits in wait_ready(), and every request that it had not taken. Requests that it had taken are
// the state's; those on which somebody waits hold a Writer (writer.h), which tells them when the
// state is destroyed. After that alive() is false, and its owner may start another;
// WorkerOptions::after keeps the two apart.
//
// Simple form: the state handles one request after the other, waiting for I/O with block_on().
//
//   struct HashRequest {                              // a request can always be answered:
//     std::filesystem::path path;
//     std::promise<Result<base::Sha256>> answer;
//     void fail(Error error) { answer.set_value(std::unexpected(std::move(error))); }
//   };
//   struct Hasher {
//     // May throw: fails this request only.
//     void handle(HashRequest& request, Inbox<HashRequest>& inbox) {
//       auto bytes = inbox.block_on(async_read(request.path));
//       request.answer.set_value(bytes.transform(hash));
//     }
//   };
//   auto worker = Worker<Hasher, HashRequest>::start(
//       {.name = "hasher"}, [](Runtime&, const CancelToken&) {
//         return Result<std::unique_ptr<Hasher>>(std::make_unique<Hasher>());
//       });
//   OCELLUS_RETURN_IF_ERROR((*worker)->wait_ready());
//   (*worker)->submit(std::move(request));  // kUnavailable at once when the mailbox is full
//
// Own loop: a state with run(Inbox<Request>&) instead of handle() decides itself when it takes
// requests, so it can serve several at a time. It starts I/O with inbox.spawn(), works on while
// there is work, and sleeps in inbox.wait() when there is none:
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

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "ocellus/error.h"
#include "runtime/cancel.h"
#include "runtime/failure.h"
#include "runtime/inbox.h"
#include "runtime/runtime.h"
#include "runtime/worker_client.h"

namespace ocellus::runtime {

// One request after the other: the loop of a state that only has handle().
template <typename State, WorkerRequest Request>
void serve_requests(State& state, Inbox<Request>& inbox) {
  while (std::optional<Request> request = inbox.pop()) {
    inbox.protect(*request, [&] { state.handle(*request, inbox); });
  }
}

struct WorkerOptions {
  std::string name = "ocellus-worker";  // at most 15 characters are shown by the system
  std::size_t mailbox_capacity = 8;
  // The end of a predecessor: the state is not made before that one's is gone, so that there are
  // never two (of a model: two copies of its weights). Null: none.
  std::shared_ptr<const WorkerEnd> after = {};
  // How long a worker that was told to stop, or the predecessor of a new one, may take to end.
  // Longer than that only a call takes that the system does not return from, as a read from a
  // network file system that is gone.
  std::chrono::milliseconds patience = std::chrono::seconds(10);
};

// The owner. Any thread; destroying it shuts down and joins. A thread that does not end within the
// patience, or that destroys its own worker, is left to end by itself: factory and state may
// therefore use nothing that they don't own a share of. Others hold a client().
template <typename State, WorkerRequest Request>
class Worker : public WorkerClient<Request> {
 public:
  // Called once, on the worker's thread. The token is cancelled when the worker is shut down
  // meanwhile. An exception is an error.
  using Factory = std::move_only_function<Result<std::unique_ptr<State>>(Runtime& runtime,
                                                                         const CancelToken& stop)>;

  // kUnavailable when the thread cannot be had. The rest of the start is told by wait_ready().
  static Result<std::unique_ptr<Worker>> start(WorkerOptions options, Factory factory) {
    try {
      auto core = std::make_shared<Core>(options.mailbox_capacity, std::move(options.after),
                                         options.patience);
      const auto shared_factory = std::make_shared<Factory>(std::move(factory));
      std::unique_ptr<Worker> worker(new Worker(core));
      auto thread = base::start_thread(options.name,
                                       [core, shared_factory] { serve(*core, *shared_factory); });
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
    this->shutdown();
    if (!thread_.joinable()) return;
    const bool own = thread_.get_id() == std::this_thread::get_id();
    if (!own && this->end()->wait_for_this({}, this->patience_from_now())) return;
    if (!own)
      base::log(base::LogLevel::kWarning, "a worker hangs in a call of the system: left behind");
    thread_.detach();
  }

  WorkerClient<Request> client() const { return *this; }

 private:
  using Core = WorkerCore<Request>;

  explicit Worker(std::shared_ptr<Core> core) : WorkerClient<Request>(std::move(core)) {}

  // Makes the state and serves. Why it ended.
  static Error live(Core& core, Factory& factory, std::unique_ptr<State>& state) noexcept {
    Runtime* runtime = nullptr;
    try {
      if (!core.end->wait_for_predecessors(core.stop.token(), Deadline::after(core.patience)) &&
          !core.stop.cancelled()) {
        return {ErrorCode::kUnavailable,
                "the worker before this one hangs in a call of the system: try again later"};
      }
      auto shared = try_shared_runtime();  // logs the reason itself
      if (!shared) return std::move(shared).error();
      runtime = *shared;
      if (core.stop.cancelled()) return Core::shutting_down();
      auto made = factory(*runtime, core.stop.token());
      if (!made) return std::move(made).error();
      state = *std::move(made);
      factory = nullptr;  // what it captured goes with the start
    } catch (...) {
      return error_from_exception(std::current_exception(), "worker start");
    }
    core.init.report({});
    try {
      Inbox<Request> inbox(*runtime, core.mailbox, core.stop.token(), core.failures);
      if constexpr (requires { state->run(inbox); }) {
        state->run(inbox);
      } else {
        serve_requests(*state, inbox);
      }
    } catch (...) {
      Error error = error_from_exception(std::current_exception(), "worker ended");
      base::log(base::LogLevel::kError, error.message);
      return error;
    }
    if (core.stop.cancelled()) return Core::shutting_down();
    return make_error_nothrow(ErrorCode::kUnavailable, "worker has ended");
  }

  static void serve(Core& core, Factory& factory) noexcept {
    std::unique_ptr<State> state;
    const Error why = live(core, factory, state);
    // The reason comes first: submit() reads it when it finds the mailbox closed.
    core.init.end(make_error_nothrow(why.code, why.message));
    core.mailbox->close();
    while (auto request = core.mailbox->try_pop())
      request->fail(make_error_nothrow(why.code, why.message));
    state.reset();
    core.end->report();
  }

  std::jthread thread_;
};

}  // namespace ocellus::runtime
