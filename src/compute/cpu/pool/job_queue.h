// Jobs on threads of their own, beside the loops of ThreadPool.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "compute/pool.h"

namespace ocellus::compute::cpu {

// See Jobs. The room for `capacity` waiting jobs is taken when the queue is made.
class JobQueue final : public Jobs {
 public:
  static Result<std::unique_ptr<JobQueue>> create(int threads, std::size_t capacity);
  ~JobQueue() override;

  Status submit(std::function<void()> run, std::function<void(Error)> failed = {}) override;

 private:
  struct Job {
    std::function<void()> run;
    std::function<void(Error)> failed;
  };

  explicit JobQueue(std::size_t capacity) : slots_(capacity) {}
  void work();
  void drop_all();
  Job pop();  // with the mutex held and count_ > 0
  static void run(Job job) noexcept;
  static void fail(Job& job, ErrorCode code, std::string_view message) noexcept;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job> slots_;  // a ring: count_ jobs from first_ on
  std::size_t first_ = 0, count_ = 0;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace ocellus::compute::cpu
