// What a worker tells its owners: how its start went, and that its state is gone.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "ocellus/error.h"
#include "runtime/cancel.h"
#include "runtime/deadline.h"

namespace ocellus::runtime {

// How a worker's start went and why it ended, for everybody who wants to know. Any thread.
class InitChannel {
 public:
  // The outcome of the start. Ignored after the first report() or end().
  void report(Status status) noexcept;
  // The worker takes no more requests; the first reason takes the place of the start's outcome.
  void end(Error why) noexcept;
  // The outcome, as often as asked. kCancelled or kDeadlineExceeded when that came first; the start
  // itself goes on.
  Status wait(const CancelToken& cancel, Deadline deadline) const;
  // Nothing while it is not known.
  std::optional<Status> peek() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::optional<Status> status_;
  bool ended_ = false;
};

// Told once, when a worker's state is gone and its thread does nothing more. Any thread.
class WorkerEnd {
 public:
  // `after`: the end of its predecessor, which the worker waits for; null: none.
  explicit WorkerEnd(std::shared_ptr<const WorkerEnd> after = nullptr) : after_(std::move(after)) {}

  void report() noexcept;
  // Waits until this worker and its predecessors are gone. A worker may end before its predecessor,
  // when it was shut down while it waited. False: cancelled, or the deadline came first.
  bool wait(const CancelToken& cancel = {}, Deadline deadline = {}) const;
  bool wait_for_predecessors(const CancelToken& cancel, Deadline deadline) const;
  bool wait_for_this(const CancelToken& cancel, Deadline deadline) const;

 private:
  const std::shared_ptr<const WorkerEnd> after_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool ended_ = false;
};

}  // namespace ocellus::runtime
