// One value from the worker to a caller who waits for it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "ocellus/error.h"

namespace ocellus::vision {

// One writer, one waiter. Only the first end counts.
template <typename T>
class ResultChannel {
 public:
  void finish(T value) { end(Result<T>(std::move(value))); }
  void fail(Error error) noexcept { end(Result<T>(std::unexpected(std::move(error)))); }

  // Once: the value, if it is there.
  std::optional<Result<T>> try_take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(result_, std::nullopt);
  }

  Result<T> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return result_.has_value(); });
    return std::move(*result_);
  }

 private:
  void end(Result<T> result) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (result_) return;
      result_.emplace(std::move(result));
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<T>> result_;
};

}  // namespace ocellus::vision
