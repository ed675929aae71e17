// How a model's worker wakes the connection that waits for it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "ocellus/options.h"

namespace ocellus::server {

// What the worker tells the connection: that something is there, and how far the prompt is.
class Signal : public std::enable_shared_from_this<Signal> {
 public:
  explicit Signal(const boost::asio::any_io_executor& executor)
      : executor_(executor), timer_(executor) {}

  // Any thread.
  void set() {
    boost::asio::post(executor_, [self = shared_from_this()] {
      self->set_ = true;
      self->timer_.cancel();
    });
  }
  void tell(const StageProgress& progress) {
    {
      const std::lock_guard lock(mutex_);
      latest_ = progress;
    }
    set();
  }
  std::optional<StageProgress> take_progress() {
    const std::lock_guard lock(mutex_);
    return std::exchange(latest_, std::nullopt);
  }

  // On the loop: until it is set, or so long.
  boost::asio::awaitable<void> wait(std::chrono::milliseconds longest) {
    if (!std::exchange(set_, false)) {
      timer_.expires_after(longest);
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      set_ = false;
    }
  }

 private:
  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer timer_;
  bool set_ = false;
  std::mutex mutex_;
  std::optional<StageProgress> latest_;
};

}  // namespace ocellus::server
