#include "runtime/worker.h"

namespace ocellus::runtime {

void InitChannel::report(Status status) {
  {
    const std::lock_guard lock(mutex_);
    if (status_) return;
    status_ = std::move(status);
  }
  changed_.notify_all();
}

Status InitChannel::wait(const CancelToken& cancel, Deadline deadline) const {
  const CancelCallback on_cancel(cancel, [this] {
    // Taking the lock orders the notification after the waiter's check of the token.
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  });
  std::unique_lock lock(mutex_);
  const auto over = [&] { return status_.has_value() || cancel.cancelled(); };
  if (deadline.is_none()) {
    changed_.wait(lock, over);
  } else {
    changed_.wait_until(lock, deadline.time(), over);
  }
  if (status_) return *status_;
  if (cancel.cancelled()) return std::unexpected(Error{ErrorCode::kCancelled, "cancelled"});
  return std::unexpected(Error{ErrorCode::kDeadlineExceeded, "deadline exceeded"});
}

std::optional<Status> InitChannel::peek() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace ocellus::runtime
