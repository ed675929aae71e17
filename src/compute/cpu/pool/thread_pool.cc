#include "compute/cpu/pool/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/thread.h"

namespace ocellus::compute::cpu {
namespace {

// About 20 microseconds: longer than the gaps between the operations of one step, shorter than
// anything a person notices.
constexpr int kSpins = 4000;

void pause() { __builtin_ia32_pause(); }

}  // namespace

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int threads) {
  std::unique_ptr<ThreadPool> pool(new ThreadPool(threads));
  for (int i = 1; i < threads; ++i) {
    auto worker =
        base::start_thread(fmt::format("ocellus-cpu-{}", i), [p = pool.get(), i] { p->work(i); });
    if (!worker) {
      return base::with_context(std::move(worker).error(),
                                fmt::format("compute thread {} of {}", i, threads - 1));
    }
    pool->workers_.push_back(*std::move(worker));
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(sleep_mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  workers_.clear();  // joins
}

void ThreadPool::run_erased(std::int64_t tasks, void* context, Call call) {
  if (tasks <= 0) return;
  {
    std::unique_lock lock(ticket_mutex_);
    const std::uint64_t ticket = next_ticket_++;
    ticket_changed_.wait(lock, [&] { return now_serving_ == ticket; });
  }
  context_ = context;
  call_ = call;
  const auto count = static_cast<std::int64_t>(ranges_.size());
  for (std::int64_t i = 0; i < count; ++i) {
    Range& range = ranges_[static_cast<std::size_t>(i)];
    // A remainder is spread over the first.
    const std::int64_t first = i * (tasks / count) + std::min(i, tasks % count);
    range.next.store(first, std::memory_order_relaxed);
    range.end = first + tasks / count + (i < tasks % count ? 1 : 0);
  }
  if (tasks > 1 && !workers_.empty()) {
    gate_.store(kOpen, std::memory_order_release);
    {
      const std::lock_guard lock(sleep_mutex_);
      loop_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    take_tasks(0);
    // All tasks are taken. Who is inside is waited for; who is late, because it sleeps or another
    // program has its core, is not.
    gate_.fetch_and(~kOpen, std::memory_order_acq_rel);
    for (std::int64_t i = 0; gate_.load(std::memory_order_acquire) > 0; ++i) {
      // A worker inside may be waiting for this very core.
      i < kSpins ? pause() : static_cast<void>(sched_yield());
    }
  } else {
    take_tasks(0);
  }
  {
    const std::lock_guard lock(ticket_mutex_);
    ++now_serving_;
  }
  ticket_changed_.notify_all();
}

void ThreadPool::take_tasks(int thread) {
  const std::size_t count = ranges_.size();
  for (std::size_t i = 0; i < count; ++i) {
    Range& range = ranges_[(static_cast<std::size_t>(thread) + i) % count];
    while (true) {
      const std::int64_t task = range.next.fetch_add(1, std::memory_order_relaxed);
      if (task >= range.end) break;
      call_(context_, task, thread);
    }
  }
}

// Waits until a loop after `seen` has begun; false: the pool is being destroyed.
bool ThreadPool::wait_for_loop(std::uint64_t& seen) {
  const auto begun = [&] {
    const std::uint64_t loop = loop_.load(std::memory_order_acquire);
    return loop != std::exchange(seen, loop);
  };
  for (int i = 0; i < kSpins; ++i) {
    if (stopping_.load(std::memory_order_relaxed)) return false;
    if (begun()) return true;
    pause();
  }
  std::unique_lock lock(sleep_mutex_);
  wake_.wait(lock, [&] { return stopping_.load() || begun(); });
  return !stopping_.load();
}

bool ThreadPool::enter() {
  std::uint32_t gate = gate_.load(std::memory_order_relaxed);
  while ((gate & kOpen) != 0) {
    if (gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel,
                                    std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void ThreadPool::work(int thread) {
  std::uint64_t seen = 0;
  while (wait_for_loop(seen)) {
    if (!enter()) continue;  // the loop ended without this thread
    take_tasks(thread);
    gate_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace ocellus::compute::cpu
