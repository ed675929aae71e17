// Calls that the system offers only as blocking ones (reading a file, looking up a name), awaited
// without blocking the runtime.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ocellus/error.h"
#include "runtime/deadline.h"
#include "runtime/failure.h"

namespace ocellus::runtime {

// A few threads, started when first needed, and a bounded queue. Owned by the runtime; any thread.
//
// Nothing can interrupt a blocking call: a read of a file on a server that is gone may hang for
// ever. A caller that stops waiting abandons the call, and the pool starts another thread in place
// of the one that hangs, kMaxAbandoned times. When all threads hang, jobs are refused with
// kUnavailable, those in the queue too, until a call returns.
class BlockingPool {
 public:
  static constexpr std::size_t kMaxQueued = 64;
  // Each costs a thread's stack and the buffer it reads into.
  static constexpr int kMaxAbandoned = 8;

  // Called once and must not throw: on a thread of the pool without an error, to do the work; or
  // with kUnavailable, on any thread, when it was queued but will never be run.
  using Job = std::function<void(const Status& admitted)>;
  using Ticket = std::uint64_t;

  // Threads are called `name`-0 and so on. At most `max_threads` that do not hang.
  BlockingPool(std::string name, int max_threads);
  ~BlockingPool();

  // Queues a job. kUnavailable, without calling it, when the queue is full, when all threads hang,
  // or when there is no thread and none can be started.
  Result<Ticket> submit(Job job);
  // Nobody waits for this job any more. It is dropped if it has not begun; else its thread counts
  // as hanging until the call returns. Unknown or finished tickets are ignored.
  void abandon(Ticket ticket) noexcept;

  int thread_count() const noexcept;
  int abandoned_count() const noexcept;

 private:
  struct Queued {
    Ticket ticket;
    Job job;
  };
  struct Server {
    Ticket ticket = 0;  // of the job that it runs; 0: none
    bool abandoned = false;
    std::jthread thread;
  };
  void serve(Server& self) noexcept;
  // The rest is called with mutex_ held.
  int usable() const { return static_cast<int>(servers_.size()) - abandoned_; }
  bool may_grow() const;
  Status add_thread();
  Error hanging() const noexcept;

  const std::string name_;
  const int max_threads_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Queued> queue_;
  Ticket last_ticket_ = 0;
  int idle_ = 0;
  int abandoned_ = 0;
  bool ending_ = false;
  std::vector<Server> servers_;  // never moved: all room is reserved; last: joined first
};

// Runs `job` in the pool and resumes when it has ended. To be awaited in a spawned coroutine.
// Cancelling it resumes at once and abandons the job, which nothing can interrupt: so `job` must
// own what it uses. So does the deadline: kDeadlineExceeded. kUnavailable as BlockingPool::submit.
boost::asio::awaitable<Status> await_blocking(BlockingPool& pool, std::function<void()> job,
                                              Deadline deadline = {});

// The same with a result. Exceptions become errors.
template <typename T>
boost::asio::awaitable<Result<T>> run_blocking(BlockingPool& pool, std::function<Result<T>()> job,
                                               Deadline deadline = {}) {
  const auto result = std::make_shared<std::optional<Result<T>>>();
  std::function<void()> guarded = [result, job = std::move(job)] {
    try {
      result->emplace(job());
    } catch (...) {
      result->emplace(
          std::unexpected(error_from_exception(std::current_exception(), "blocking call")));
    }
  };
  const Status status = co_await await_blocking(pool, std::move(guarded), deadline);
  if (!status) co_return std::unexpected(status.error());
  co_return std::move(**result);
}

}  // namespace ocellus::runtime
