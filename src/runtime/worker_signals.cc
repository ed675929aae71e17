#include "runtime/worker_signals.h"

#include <utility>

namespace ocellus::runtime {
namespace {

// Waits until `over`, which reads what the mutex guards, or until cancelled or late.
template <typename Over>
void wait_until(std::mutex& mutex, std::condition_variable& changed, const CancelToken& cancel,
                Deadline deadline, Over over) {
  const CancelCallback on_cancel(cancel, [&] {
    // Taking the lock orders the notification after the waiter's check of the token.
    const std::lock_guard lock(mutex);
    changed.notify_all();
  });
  std::unique_lock lock(mutex);
  const auto done = [&] { return over() || cancel.cancelled(); };
  if (deadline.is_none()) {
    changed.wait(lock, done);
  } else {
    changed.wait_until(lock, deadline.time(), done);
  }
}

}  // namespace

void InitChannel::report(Status status) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (status_) return;
    status_ = std::move(status);
  }
  changed_.notify_all();
}

void InitChannel::end(Error why) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    status_ = std::unexpected(std::move(why));
  }
  changed_.notify_all();
}

Status InitChannel::wait(const CancelToken& cancel, Deadline deadline) const {
  wait_until(mutex_, changed_, cancel, deadline, [&] { return status_.has_value(); });
  if (auto status = peek()) return *std::move(status);
  if (cancel.cancelled()) return std::unexpected(Error{ErrorCode::kCancelled, "cancelled"});
  return std::unexpected(Error{ErrorCode::kDeadlineExceeded, "deadline exceeded"});
}

std::optional<Status> InitChannel::peek() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void WorkerEnd::report() noexcept {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
}

bool WorkerEnd::wait(const CancelToken& cancel, Deadline deadline) const {
  for (const WorkerEnd* end = this; end != nullptr; end = end->after_.get()) {
    if (!end->wait_for_this(cancel, deadline)) return false;
  }
  return true;
}

bool WorkerEnd::wait_for_predecessors(const CancelToken& cancel, Deadline deadline) const {
  return after_ == nullptr || after_->wait(cancel, deadline);
}

bool WorkerEnd::wait_for_this(const CancelToken& cancel, Deadline deadline) const {
  wait_until(mutex_, changed_, cancel, deadline, [&] { return ended_; });
  const std::lock_guard lock(mutex_);
  return ended_;
}

}  // namespace ocellus::runtime
