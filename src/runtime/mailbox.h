// The bounded queue between many callers and one worker.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "ocellus/error.h"
#include "runtime/deadline.h"

namespace ocellus::runtime {

// First in, first out; any number of producers, one consumer. Never grows: what does not fit is
// refused at once. The room for `capacity` items is taken in the constructor, so that pushing needs
// no memory of its own.
template <typename T>
class Mailbox {
 public:
  enum class Event { kItem, kWoken, kClosed, kDeadline };

  explicit Mailbox(std::size_t capacity) : slots_(capacity) {}

  // kUnavailable when full or closed; the item then stays with the caller, untouched. Never waits.
  Status try_push(T&& item) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return refuse("mailbox is closed");
      if (count_ == slots_.size()) return refuse("mailbox is full");
      slots_[(first_ + count_) % slots_.size()].emplace(std::move(item));
      ++count_;
    }
    changed_.notify_one();
    return {};
  }

  // Consumer: the oldest item, or nothing when there is none now. Goes on after close(), so that
  // what was left can be answered.
  std::optional<T> try_pop() {
    const std::lock_guard lock(mutex_);
    return take();
  }

  // Consumer: waits for an item; nothing when the mailbox is closed, even if items are left.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || count_ > 0; });
    if (closed_) return std::nullopt;
    return take();
  }

  // Consumer: waits until something happens, but takes nothing. Closing is told before items, items
  // before wake-ups; a wake-up that came earlier and was not yet told counts.
  Event wait(Deadline deadline = {}) {
    std::unique_lock lock(mutex_);
    const auto happened = [&] { return closed_ || count_ > 0 || woken_; };
    if (deadline.is_none()) {
      changed_.wait(lock, happened);
    } else {
      changed_.wait_until(lock, deadline.time(), happened);
    }
    const bool woken = std::exchange(woken_, false);
    if (closed_) return Event::kClosed;
    if (count_ > 0) return Event::kItem;
    return woken ? Event::kWoken : Event::kDeadline;
  }

  // Consumer: the same, but items do not count: for one that cannot take any now.
  Event wait_for_wake(Deadline deadline = {}) {
    std::unique_lock lock(mutex_);
    const auto happened = [&] { return closed_ || woken_; };
    if (deadline.is_none()) {
      changed_.wait(lock, happened);
    } else {
      changed_.wait_until(lock, deadline.time(), happened);
    }
    const bool woken = std::exchange(woken_, false);
    if (closed_) return Event::kClosed;
    return woken ? Event::kWoken : Event::kDeadline;
  }

  // Makes the consumer's present or next wait() return. Any thread; used when work that the
  // consumer spawned is done.
  void wake() noexcept {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }

  void close() noexcept {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  std::size_t capacity() const { return slots_.size(); }

 private:
  static Status refuse(const char* why) {
    return std::unexpected(Error{ErrorCode::kUnavailable, why});
  }
  std::optional<T> take() {
    if (count_ == 0) return std::nullopt;
    std::optional<T> item = std::exchange(slots_[first_], std::nullopt);
    first_ = (first_ + 1) % slots_.size();
    --count_;
    return item;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::optional<T>> slots_;  // a ring
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  bool woken_ = false;
  bool closed_ = false;
};

}  // namespace ocellus::runtime
