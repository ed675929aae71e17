// Calls that the system offers only as blocking ones (reading a file, looking up a name), awaited
// without blocking the runtime.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <condition_variable>
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
class BlockingPool {
 public:
  static constexpr std::size_t kMaxQueued = 64;

  // Threads are called `name`-0 and so on.
  BlockingPool(std::string name, int max_threads);
  ~BlockingPool();

  // Queues a job, which must not throw. kUnavailable when the queue is full or when there is no
  // thread and none can be started.
  Status submit(std::function<void()> job);
  int thread_count() const noexcept;

 private:
  void serve() noexcept;

  const std::string name_;
  const int max_threads_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  int idle_ = 0;
  bool ending_ = false;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

// Runs `job` in the pool and resumes when it has ended. To be awaited in a spawned coroutine.
// Cancelling it resumes at once and leaves the job, which nothing can interrupt, to end on its own:
// so `job` must own what it uses. So does the deadline: kDeadlineExceeded.
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
