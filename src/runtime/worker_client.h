// What those who use a worker hold of it: they ask, they wait, they never own its thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "ocellus/error.h"
#include "runtime/cancel.h"
#include "runtime/deadline.h"
#include "runtime/failure.h"
#include "runtime/inbox.h"
#include "runtime/mailbox.h"
#include "runtime/worker_signals.h"

namespace ocellus::runtime {

// What the worker's thread, its owner and its clients share; outlives the worker if it must.
template <WorkerRequest Request>
struct WorkerCore {
  WorkerCore(std::size_t capacity, std::shared_ptr<const WorkerEnd> after,
             std::chrono::milliseconds patience_)
      : mailbox(std::make_shared<Mailbox<Request>>(capacity)),
        end(std::make_shared<WorkerEnd>(std::move(after))),
        patience(patience_) {}

  static Error shutting_down() noexcept {
    return make_error_nothrow(ErrorCode::kUnavailable, "worker is shutting down");
  }

  const std::shared_ptr<Mailbox<Request>> mailbox;
  const std::shared_ptr<FailureCount> failures = std::make_shared<FailureCount>();
  CancelSource stop;
  InitChannel init;
  const std::shared_ptr<WorkerEnd> end;
  const std::chrono::milliseconds patience;
};

// Cheap to copy; any thread. A client may outlive the worker, which is then not alive().
template <WorkerRequest Request>
class WorkerClient {
 public:
  explicit WorkerClient(std::shared_ptr<WorkerCore<Request>> core) : core_(std::move(core)) {}

  // Waits until the state is made, and says how that went: the factory's error, kUnavailable
  // "Runtime unavailable: ...", or kUnavailable when shutdown() came first. After the end: why.
  Status wait_ready(const CancelToken& cancel = {}, Deadline deadline = {}) const {
    return core_->init.wait(cancel, deadline);
  }
  // The same without waiting; nothing while the state is being made.
  std::optional<Status> ready() const { return core_->init.peek(); }
  // Whether it takes requests. False for good after a failed start, after shutdown() and when it
  // ended by itself; ready() then says why.
  bool alive() const { return !core_->mailbox->closed(); }
  // Tells when the state is gone.
  std::shared_ptr<const WorkerEnd> end() const { return core_->end; }

  // Never waits. kUnavailable: the mailbox is full; or the worker has ended, then as ready(). The
  // request then stays with the caller, untouched. Requests may be put in before the worker is
  // ready; when its start fails they are told so.
  Status submit(Request&& request) const {
    auto status = core_->mailbox->try_push(std::move(request));
    if (!status && !alive()) {
      if (auto why = ready(); why && !*why) return *std::move(why);
    }
    return status;
  }

  // Asks the worker to stop and releases who waits in wait_ready(); does not wait itself. Requests
  // that it has not taken get kUnavailable.
  void shutdown() const noexcept {
    core_->stop.cancel();
    core_->init.end(WorkerCore<Request>::shutting_down());
    core_->mailbox->close();
  }

  // False after three requests in a row that threw.
  bool healthy() const noexcept { return core_->failures->healthy(); }
  std::size_t waiting() const { return core_->mailbox->size(); }

 protected:
  Deadline patience_from_now() const { return Deadline::after(core_->patience); }

 private:
  std::shared_ptr<WorkerCore<Request>> core_;
};

}  // namespace ocellus::runtime
