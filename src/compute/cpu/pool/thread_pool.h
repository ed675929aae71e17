// The compute threads that all models of a program share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::compute::cpu {

// Runs loops on several threads; the caller is one of them. Calls from different threads take
// turns, first come first served, so that every model gets its share. Between loops the threads
// spin for a moment, then sleep.
class ThreadPool {
 public:
  // `threads` in all, the caller's included, at least 1. kUnavailable when one cannot be started;
  // the others are then joined.
  static Result<std::unique_ptr<ThreadPool>> create(int threads);
  ~ThreadPool();

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(task, thread) for every task in [0, tasks), thread in [0, threads()); returns when
  // all are done. Each thread begins with a stretch of neighbouring tasks, so that it reads memory
  // forwards, and then helps with the others': which thread runs which task is open, results must
  // not depend on it. `body` must not throw and must not call run().
  template <typename Body>
  void run(std::int64_t tasks, Body&& body) {
    using Function = std::remove_reference_t<Body>;
    run_erased(tasks, const_cast<void*>(static_cast<const void*>(&body)),
               [](void* context, std::int64_t task, int thread) {
                 (*static_cast<Function*>(context))(task, thread);
               });
  }

 private:
  using Call = void (*)(void* context, std::int64_t task, int thread);

  explicit ThreadPool(int threads) : stretches_(static_cast<std::size_t>(threads)) {}
  void run_erased(std::int64_t tasks, void* context, Call call);
  void work(int thread);
  void take_tasks(int thread);
  bool wait_for_loop(std::uint64_t& seen);
  bool enter();

  std::vector<std::jthread> workers_;

  std::mutex turn_mutex_;  // whose loop is next
  std::condition_variable turn_changed_;
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
  // The stretch of one thread; tasks are taken from its front, by whomever. On a cache line of its
  // own.
  struct alignas(64) Stretch {
    std::atomic<std::int64_t> next = 0;
    std::int64_t end = 0;
  };
  std::vector<Stretch> stretches_;
  void* context_ = nullptr;
  Call call_ = nullptr;
};

}  // namespace ocellus::compute::cpu
