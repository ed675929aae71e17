// The compute threads as other folders see them: loops over all threads, and a queue of jobs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>

#include "ocellus/error.h"

namespace ocellus::compute {

// Runs loops on several threads, the caller being one of them. Any thread; callers are served one
// after the other, first come, first served.
class Pool {
 public:
  virtual ~Pool() = default;

  virtual int threads() const = 0;  // at least 1

  // Calls body(task, thread) for every task in [0, tasks), thread in [0, threads()); returns when
  // all are done. Which thread runs which task is open: results must not depend on it. `body` must
  // not throw and must not call run().
  template <typename Body>
  void run(std::int64_t tasks, Body&& body) {
    using Callable = std::remove_reference_t<Body>;
    run_erased(tasks, const_cast<void*>(static_cast<const void*>(&body)),
               [](void* context, std::int64_t task, int thread) {
                 (*static_cast<Callable*>(context))(task, thread);
               });
  }

 protected:
  using Call = void (*)(void* context, std::int64_t task, int thread);
  virtual void run_erased(std::int64_t tasks, void* context, Call call) = 0;
};

// Jobs that run one after the other on a few threads of their own, in the order of submission: work
// of milliseconds (decoding and resizing a picture) that must hold up neither the runtime nor a
// model's worker. Any thread.
class Jobs {
 public:
  // Waits for the jobs that are running. Those still queued are dropped: their `failed` is called
  // with kUnavailable on the destructor's thread.
  virtual ~Jobs() = default;

  // Queues `run` and returns at once. kUnavailable when the queue is full: neither function is then
  // kept or called. Otherwise exactly one of these happens: `run` returns, or `failed` (if given)
  // is called: with kUnavailable when the job was dropped, with kOutOfMemory or kInternal when
  // `run` threw. `failed` must not throw; what either throws does not leave the queue. A job may
  // submit others, but must not destroy the queue.
  virtual Status submit(std::function<void()> run, std::function<void(Error)> failed = {}) = 0;
};

// `threads` in all, the caller's included; 0: as many as the process has cores to use.
// kInvalidArgument when negative, kUnavailable when a thread cannot be started.
Result<std::unique_ptr<Pool>> make_pool(int threads);

// `threads` own threads; room for `capacity` jobs that wait, beside those that run. Both at least
// 1, else kInvalidArgument. kUnavailable when a thread cannot be started, kOutOfMemory.
Result<std::unique_ptr<Jobs>> make_jobs(int threads, std::size_t capacity);

}  // namespace ocellus::compute
