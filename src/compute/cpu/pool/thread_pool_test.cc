#include "compute/cpu/pool/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "base/thread.h"
#include "compute/cpu/topology/cores.h"

namespace ocellus::compute::cpu {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

std::unique_ptr<ThreadPool> pool_of(int threads) {
  auto pool = ThreadPool::create(threads);
  EXPECT_TRUE(pool.has_value()) << pool.error().message;
  return pool ? *std::move(pool) : nullptr;
}

TEST(ThreadPool, RunsEveryTaskOnceByAThreadInRange) {
  for (const int threads : {1, 2, 3, 5, 16}) {
    const auto pool = pool_of(threads);
    ASSERT_EQ(pool->threads(), threads);
    for (const std::int64_t tasks : {0, 1, 2, 3, 5, 100, 10'000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
      std::atomic<bool> in_range = true;
      pool->run(tasks, [&](std::int64_t task, int thread) {
        ++runs[static_cast<std::size_t>(task)];
        if (thread < 0 || thread >= threads) in_range = false;
      });
      for (const auto& count : runs) ASSERT_EQ(count, 1);
      ASSERT_TRUE(in_range);
    }
    pool->run(-5, [](std::int64_t, int) { FAIL() << "there is no task"; });
  }
}

// Holds the first tasks of a loop until every thread of the pool has one: it ends only when all of
// them take part, and makes loops of short tasks run on all threads.
class Gathering {
 public:
  explicit Gathering(const ThreadPool& pool) : threads_(pool.threads()) {}
  void wait(std::int64_t task) {
    if (task >= threads_) return;
    ++here_;
    while (here_ < threads_) std::this_thread::yield();
  }

 private:
  int threads_;
  std::atomic<int> here_ = 0;
};

TEST(ThreadPool, AllThreadsTakePart) {
  for (const int threads : {2, 3, 8}) {
    const auto pool = pool_of(threads);
    for (int loop = 0; loop < 50; ++loop) {
      Gathering all(*pool);
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(threads));
      pool->run(threads, [&](std::int64_t task, int thread) {
        all.wait(task);
        ++runs[static_cast<std::size_t>(thread)];
      });
      for (const auto& count : runs) ASSERT_EQ(count, 1);
    }
  }
}

// Each thread number belongs to one running body: scratch by thread number needs no lock.
TEST(ThreadPool, ThreadNumbersAreExclusive) {
  const auto pool = pool_of(4);
  std::vector<std::int64_t> sums(4 * 16);  // a cache line apart; plain: TSan sees two writers
  for (int loop = 0; loop < 200; ++loop) {
    Gathering all(*pool);
    pool->run(64, [&](std::int64_t task, int thread) {
      all.wait(task);
      sums[static_cast<std::size_t>(thread) * 16] += task;
    });
  }
  std::int64_t sum = 0;
  for (const std::int64_t s : sums) sum += s;
  EXPECT_EQ(sum, 200 * 64 * 63 / 2);
}

TEST(ThreadPool, WhatOneLoopWroteTheNextLoopReads) {
  const auto pool = pool_of(3);
  std::vector<std::int64_t> values(100);
  for (int loop = 0; loop < 500; ++loop) {
    Gathering all(*pool);
    pool->run(100, [&](std::int64_t task, int) {
      all.wait(task);
      // Odd loops read another task's value, which another thread may have written.
      const auto from = static_cast<std::size_t>((task + 37) % 100);
      if (loop % 2 == 0) values[static_cast<std::size_t>(task)] = loop;
      if (loop % 2 == 1 && values[from] != loop - 1) ADD_FAILURE() << "an old value";
    });
  }
}

TEST(ThreadPool, CallersFromManyThreadsTakeTurns) {
  const auto pool = pool_of(3);
  std::atomic<int> inside = 0;
  std::atomic<bool> overlapped = false;
  std::vector<std::int64_t> totals(8);
  {
    std::vector<std::jthread> callers;
    for (std::size_t caller = 0; caller < 8; ++caller) {
      callers.emplace_back([&, caller] {
        for (int loop = 0; loop < 300; ++loop) {
          const std::int64_t tasks = 1 + loop % 7;  // with and without the help of others
          std::atomic<std::int64_t> sum = 0;
          std::atomic<bool> entered = false;
          Gathering all(*pool);
          pool->run(tasks, [&](std::int64_t task, int) {
            if (tasks >= pool->threads() && loop % 2 == 0) all.wait(task);
            // The first body of a loop counts it in, the last one out.
            if (!entered.exchange(true) && inside.fetch_add(1) != 0) overlapped = true;
            if (sum.fetch_add(task + 1) + task + 1 == tasks * (tasks + 1) / 2) --inside;
          });
          totals[caller] += sum;
        }
      });
    }
  }
  std::int64_t expected = 0;
  for (int loop = 0; loop < 300; ++loop) expected += (1 + loop % 7) * (2 + loop % 7) / 2;
  for (const std::int64_t total : totals) EXPECT_EQ(total, expected);
  EXPECT_FALSE(overlapped);
}

TEST(ThreadPool, ComesAndGoesAtOnce) {
  for (int i = 0; i < 200; ++i) {
    const auto pool = pool_of(4);
    if (i % 3 == 0) continue;  // destroyed while its threads are still starting
    std::atomic<int> count = 0;
    pool->run(i % 3, [&](std::int64_t, int) { ++count; });
    ASSERT_EQ(count, i % 3);
  }
}

// Status lines of this process's compute threads: name to (state, switches so far).
struct ThreadState {
  char state = '?';
  long switches = 0;
  bool operator==(const ThreadState&) const = default;
};

std::map<std::string, ThreadState> compute_threads() {
  std::map<std::string, ThreadState> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    std::string line, name;
    ThreadState state;
    while (std::getline(status, line)) {
      if (line.starts_with("Name:\t")) name = line.substr(6);
      if (line.starts_with("State:\t")) state.state = line[7];
      const auto value = line.find(":\t");
      if (line.contains("ctxt_switches")) state.switches += std::stol(line.substr(value + 2));
    }
    if (name.starts_with("ocellus-cpu-")) found[name] = state;
  }
  return found;
}

// Threads that sleep in a wait do not run at all, so their switches stand still: true or false on a
// machine of any speed.
TEST(ThreadPool, SleepsWhenThereIsNothingToDo) {
  const auto pool = pool_of(3);
  pool->run(1000, [](std::int64_t, int) {});
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto all_sleep = [](const std::map<std::string, ThreadState>& threads) {
    for (const auto& [name, thread] : threads) {
      if (thread.state != 'S') return false;
    }
    return threads.size() == 2;
  };
  // A thread may be on its way to sleep, or held up by the process's own locks, the first times.
  bool still = false;
  while (!still && std::chrono::steady_clock::now() < give_up) {
    const auto before = compute_threads();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the time that is observed
    still = all_sleep(before) && compute_threads() == before;
  }
  EXPECT_TRUE(still) << "the threads of an idle pool run on";
  std::atomic<int> count = 0;
  pool->run(1000, [&](std::int64_t, int) { ++count; });
  EXPECT_EQ(count, 1000);  // and they wake again
}

TEST(ThreadPool, EveryThreadThatCannotStartIsAnError) {
  for (int refused = 1; refused < 6; ++refused) {
    base::set_thread_start_hook(
        [count = 0, refused](const std::string&) mutable { return ++count != refused; });
    const auto pool = ThreadPool::create(6);
    base::set_thread_start_hook({});
    ASSERT_FALSE(pool.has_value());
    EXPECT_EQ(pool.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(pool.error().message.find("compute thread " + std::to_string(refused) + " of 5"),
              std::string::npos)
        << pool.error().message;
    EXPECT_TRUE(compute_threads().empty()) << "the threads that had started are not joined";
  }
  EXPECT_NE(pool_of(6), nullptr);  // nothing is left behind
}

// The exit status of a process whose address space holds few stacks of 8 MiB: some threads start, a
// thousand do not. (A limit on the number of threads would not bind root.)
[[noreturn]] void ask_for_too_many_threads() {
  rlimit limit;
  limit.rlim_cur = limit.rlim_max = 256 << 20;
  setrlimit(RLIMIT_AS, &limit);
  const auto pool = ThreadPool::create(1000);
  if (pool) _exit(2);
  if (pool.error().code != ErrorCode::kUnavailable) _exit(3);
  _exit(ThreadPool::create(2) ? 0 : 4);
}

TEST(ThreadPoolDeathTest, TheSystemsRefusalIsAnErrorToo) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need more address space than the limit leaves";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ask_for_too_many_threads(), ::testing::ExitedWithCode(0), "");
}

TEST(UsableCores, IsAtLeastOneAndAtMostTheMachines) {
  EXPECT_GE(usable_cores(), 1);
  EXPECT_LE(usable_cores(), static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace ocellus::compute::cpu
