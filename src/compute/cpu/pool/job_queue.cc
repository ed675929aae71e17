#include "compute/cpu/pool/job_queue.h"

#include <exception>
#include <new>
#include <utility>

#include "base/result.h"
#include "base/thread.h"

namespace ocellus::compute::cpu {

using base::make_error;

Result<std::unique_ptr<JobQueue>> JobQueue::create(int threads, std::size_t capacity) {
  if (threads < 1 || capacity < 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "job queue: expected at least 1 thread and room for 1 job, found {} and {}",
                      threads, capacity);
  }
  try {
    std::unique_ptr<JobQueue> queue(new JobQueue(capacity));
    for (int i = 1; i <= threads; ++i) {
      auto thread =
          base::start_thread(fmt::format("ocellus-job-{}", i), [q = queue.get()] { q->work(); });
      if (!thread) {
        return base::with_context(std::move(thread).error(),
                                  fmt::format("job thread {} of {}", i, threads));
      }
      queue->threads_.push_back(*std::move(thread));
    }
    return queue;
  } catch (const std::exception&) {  // bad_alloc, length_error
    return make_error(ErrorCode::kOutOfMemory, "job queue: not enough memory for {} jobs",
                      capacity);
  }
}

JobQueue::~JobQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  drop_all();        // at once: who waits for them need not wait for the running ones
  threads_.clear();  // joins
  drop_all();        // what the running ones submitted
}

void JobQueue::drop_all() {
  while (true) {
    Job job;
    {
      const std::lock_guard lock(mutex_);
      if (count_ == 0) return;
      job = pop();
    }
    fail(job, ErrorCode::kUnavailable, "job dropped: the queue was closed before it ran");
  }
}

Status JobQueue::submit(std::function<void()> run, std::function<void(Error)> failed) {
  {
    const std::lock_guard lock(mutex_);
    if (count_ == slots_.size()) {
      return make_error(ErrorCode::kUnavailable, "job queue is full: {} jobs are waiting",
                        slots_.size());
    }
    slots_[(first_ + count_) % slots_.size()] = {std::move(run), std::move(failed)};
    ++count_;
  }
  changed_.notify_one();
  return {};
}

JobQueue::Job JobQueue::pop() {
  Job job = std::exchange(slots_[first_], {});
  first_ = (first_ + 1) % slots_.size();
  --count_;
  return job;
}

void JobQueue::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || count_ > 0; });
    if (stopping_) return;
    Job job = pop();
    lock.unlock();
    run(std::move(job));  // and destroyed, without the lock
    lock.lock();
  }
}

void JobQueue::run(Job job) noexcept {
  try {
    job.run();
  } catch (const std::bad_alloc&) {
    fail(job, ErrorCode::kOutOfMemory, "job failed: not enough memory");
  } catch (const std::exception& error) {
    fail(job, ErrorCode::kInternal, error.what());
  } catch (...) {
    fail(job, ErrorCode::kInternal, "job failed: unknown exception");
  }
}

void JobQueue::fail(Job& job, ErrorCode code, std::string_view message) noexcept {
  if (!job.failed) return;
  try {
    Error error{code, {}};
    try {
      error.message = message;
    } catch (const std::bad_alloc&) {  // the code alone then
    }
    job.failed(std::move(error));
  } catch (...) {  // must not throw: there is nobody left to tell
  }
}

}  // namespace ocellus::compute::cpu
