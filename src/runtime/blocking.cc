#include "runtime/blocking.h"

#include <algorithm>
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
    : name_(std::move(name)), max_threads_(max_threads) {
  servers_.reserve(static_cast<std::size_t>(max_threads_ + kMaxAbandoned));
}

BlockingPool::~BlockingPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
}

bool BlockingPool::may_grow() const {
  return usable() < max_threads_ && servers_.size() < servers_.capacity();
}

Status BlockingPool::add_thread() {
  Server& server = servers_.emplace_back();
  auto thread = base::start_thread(fmt::format("{}-{}", name_, servers_.size() - 1),
                                   [this, &server] { serve(server); });
  if (!thread) {
    servers_.pop_back();
    return std::unexpected(std::move(thread).error());
  }
  server.thread = *std::move(thread);
  return {};
}

Error BlockingPool::hanging() const noexcept {
  try {
    return {ErrorCode::kUnavailable,
            fmt::format("{}: all {} threads hang in calls that were given up", name_, abandoned_)};
  } catch (...) {
    return {ErrorCode::kUnavailable, {}};
  }
}

Result<BlockingPool::Ticket> BlockingPool::submit(Job job) {
  const std::lock_guard lock(mutex_);
  if (queue_.size() >= kMaxQueued) {
    return base::make_error(ErrorCode::kUnavailable, "{}: {} calls are waiting already", name_,
                            queue_.size());
  }
  if (static_cast<int>(queue_.size()) >= idle_ && may_grow()) {
    if (Status added = add_thread(); !added) {
      if (usable() == 0) return std::unexpected(std::move(added).error());
      base::log(base::LogLevel::kWarning, added.error().message);  // slower, but it works
    }
  }
  if (usable() == 0) return std::unexpected(hanging());
  queue_.push_back({++last_ticket_, std::move(job)});
  changed_.notify_one();
  return last_ticket_;
}

void BlockingPool::abandon(Ticket ticket) noexcept {
  std::deque<Queued> dropped;  // destroyed without the lock
  Error error;
  {
    const std::lock_guard lock(mutex_);
    const auto queued = std::ranges::find(queue_, ticket, &Queued::ticket);
    if (queued != queue_.end()) {
      queue_.erase(queued);
      return;
    }
    const auto server = std::ranges::find(servers_, ticket, &Server::ticket);
    if (server == servers_.end() || server->abandoned) return;
    server->abandoned = true;
    ++abandoned_;
    if (queue_.empty()) return;
    try {
      if (may_grow()) (void)add_thread();
    } catch (...) {  // as when the system refuses it
    }
    if (usable() > 0) return;
    dropped.swap(queue_);
    error = hanging();
  }
  for (Queued& queued : dropped)
    queued.job(std::unexpected(make_error_nothrow(error.code, error.message)));
}

int BlockingPool::thread_count() const noexcept {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(servers_.size());
}

int BlockingPool::abandoned_count() const noexcept {
  const std::lock_guard lock(mutex_);
  return abandoned_;
}

void BlockingPool::serve(Server& self) noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    --idle_;
    if (ending_) return;
    Queued next = std::move(queue_.front());
    queue_.pop_front();
    self.ticket = next.ticket;
    lock.unlock();
    next.job({});
    next.job = nullptr;
    lock.lock();
    self.ticket = 0;
    if (std::exchange(self.abandoned, false)) --abandoned_;
  }
}

asio::awaitable<Status> await_blocking(BlockingPool& pool, std::function<void()> job,
                                       Deadline deadline) {
  struct Shared {
    explicit Shared(asio::any_io_executor executor) : timer(std::move(executor)) {}
    asio::steady_timer timer;  // on the coroutine's loop: its expiry says "the job has ended"
    Status admitted;           // written before that is posted
  };
  const auto executor = co_await asio::this_coro::executor;
  const auto shared = std::make_shared<Shared>(executor);
  shared->timer.expires_at(deadline.time());
  const auto ticket = pool.submit([shared, executor, job = std::move(job)](const Status& admitted) {
    if (admitted) {
      job();
    } else {
      shared->admitted = admitted;
    }
    const bool told = try_for_memory([&] {
      asio::post(executor,
                 [shared] { shared->timer.expires_at(asio::steady_timer::time_point::min()); });
    });
    if (!told)
      base::log(base::LogLevel::kError, "a finished call could not be told: not enough memory");
  });
  if (!ticket) co_return std::unexpected(ticket.error());
  boost::system::error_code ec;
  co_await shared->timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (shared->timer.expiry() != asio::steady_timer::time_point::min()) {
    pool.abandon(*ticket);
    if (ec) co_return base::make_error(ErrorCode::kCancelled, "cancelled");
    co_return base::make_error(ErrorCode::kDeadlineExceeded, "deadline exceeded");
  }
  co_return std::move(shared->admitted);
}

}  // namespace ocellus::runtime
