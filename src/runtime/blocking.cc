#include "runtime/blocking.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "base/result.h"
#include "base/thread.h"

namespace ocellus::runtime {
namespace asio = boost::asio;

BlockingPool::BlockingPool(std::string name, int max_threads)
    : name_(std::move(name)), max_threads_(max_threads) {}

BlockingPool::~BlockingPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
}

Status BlockingPool::submit(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (queue_.size() >= kMaxQueued) {
    return base::make_error(ErrorCode::kUnavailable, "{}: {} calls are waiting already", name_,
                            queue_.size());
  }
  const auto waiting = static_cast<int>(queue_.size());
  if (waiting >= idle_ && static_cast<int>(threads_.size()) < max_threads_) {
    threads_.reserve(static_cast<std::size_t>(max_threads_));
    auto thread =
        base::start_thread(fmt::format("{}-{}", name_, threads_.size()), [this] { serve(); });
    if (thread) {
      threads_.push_back(*std::move(thread));
    } else if (threads_.empty()) {
      return std::unexpected(thread.error());
    } else {  // slower, but it works
      base::log(base::LogLevel::kWarning, thread.error().message);
    }
  }
  queue_.push_back(std::move(job));
  changed_.notify_one();
  return {};
}

int BlockingPool::thread_count() const noexcept {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(threads_.size());
}

void BlockingPool::serve() noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    --idle_;
    if (ending_) return;
    const auto job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

asio::awaitable<Status> await_blocking(BlockingPool& pool, std::function<void()> job,
                                       Deadline deadline) {
  struct Shared {
    explicit Shared(asio::any_io_executor executor) : timer(std::move(executor)) {}
    asio::steady_timer timer;  // on the coroutine's strand: "the job has ended"
    std::atomic<bool> abandoned = false;
  };
  const auto executor = co_await asio::this_coro::executor;
  const auto shared = std::make_shared<Shared>(executor);
  shared->timer.expires_at(deadline.time());
  const Status queued = pool.submit([shared, executor, job = std::move(job)] {
    if (!shared->abandoned) job();
    try {
      asio::post(executor,
                 [shared] { shared->timer.expires_at(asio::steady_timer::time_point::min()); });
    } catch (...) {
      base::log(base::LogLevel::kError, "a finished call could not be told: not enough memory");
    }
  });
  if (!queued) co_return queued;
  boost::system::error_code ec;
  co_await shared->timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (shared->timer.expiry() != asio::steady_timer::time_point::min()) {
    shared->abandoned = true;
    if (ec) co_return base::make_error(ErrorCode::kCancelled, "cancelled");
    co_return base::make_error(ErrorCode::kDeadlineExceeded, "deadline exceeded");
  }
  co_return Status();
}

}  // namespace ocellus::runtime
