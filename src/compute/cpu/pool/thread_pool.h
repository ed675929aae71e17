// The compute threads that all models of a program share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "compute/pool.h"

namespace ocellus::compute::cpu {

// See Pool. Between loops the threads spin for a moment, then sleep.
class ThreadPool final : public Pool {
 public:
  // `threads` in all, the caller's included, at least 1. kUnavailable when one cannot be started;
  // the others are then joined.
  static Result<std::unique_ptr<ThreadPool>> create(int threads);
  ~ThreadPool() override;

  int threads() const override { return static_cast<int>(workers_.size()) + 1; }

 private:
  explicit ThreadPool(int threads) : ranges_(static_cast<std::size_t>(threads)) {}
  void run_erased(std::int64_t tasks, void* context, Call call) override;
  void work(int thread);
  void take_tasks(int thread);
  bool wait_for_loop(std::uint64_t& seen);
  bool enter();

  std::vector<std::jthread> workers_;

  std::mutex ticket_mutex_;  // whose loop is next
  std::condition_variable ticket_changed_;
  std::uint64_t next_ticket_ = 0;
  std::uint64_t now_serving_ = 0;

  std::mutex sleep_mutex_;
  std::condition_variable wake_;
  std::atomic<std::uint64_t> loop_ = 0;  // counts loops; a change is the start signal
  std::atomic<bool> stopping_ = false;
  // Whether workers may enter the loop, and how many are inside: one word, so that the last cannot
  // slip in while the caller leaves. What the loop is about stands below, and is read only inside.
  static constexpr std::uint32_t kOpen = std::uint32_t{1} << 31;
  std::atomic<std::uint32_t> gate_ = 0;
  // The tasks that one thread begins with, neighbours, so that it reads memory forwards. Any thread
  // takes from the front. On a cache line of its own.
  struct alignas(64) Range {
    std::atomic<std::int64_t> next = 0;
    std::int64_t end = 0;
  };
  std::vector<Range> ranges_;
  void* context_ = nullptr;
  Call call_ = nullptr;
};

}  // namespace ocellus::compute::cpu
