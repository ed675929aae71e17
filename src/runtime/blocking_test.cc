#include "runtime/blocking.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <memory>
#include <vector>

#include "base/thread.h"
#include "runtime/block_on.h"

namespace ocellus::runtime {
namespace {

using namespace std::chrono_literals;

// Calls that hang until it is destroyed.
class Hangers {
 public:
  explicit Hangers(BlockingPool& pool) : pool_(pool) {}
  ~Hangers() { release_.set_value(); }

  // Starts one and waits until a thread hangs in it.
  BlockingPool::Ticket hang() {
    const auto entered = std::make_shared<std::latch>(1);
    const auto ticket = pool_.submit([entered, until = until_](const Status& admitted) {
      entered->count_down();
      if (admitted) until.wait();
    });
    if (!ticket) return 0;
    entered->wait();
    return *ticket;
  }

 private:
  BlockingPool& pool_;
  std::promise<void> release_;
  std::shared_future<void> until_ = release_.get_future().share();
};

// A job that tells what became of it.
struct Probe {
  std::shared_ptr<std::promise<Status>> told = std::make_shared<std::promise<Status>>();
  std::future<Status> future = told->get_future();
  BlockingPool::Job job() const {
    return [t = told](const Status& admitted) { t->set_value(admitted); };
  }
};

TEST(BlockingPoolTest, TheQueueIsBounded) {
  BlockingPool pool("test-pool", 1);
  {
    Hangers hangers(pool);
    ASSERT_NE(hangers.hang(), 0u);
    for (std::size_t i = 0; i < BlockingPool::kMaxQueued; ++i)
      ASSERT_TRUE(pool.submit([](const Status&) {}));
    const auto refused = pool.submit([](const Status&) {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  }
  EXPECT_EQ(pool.thread_count(), 1);
}

TEST(BlockingPoolTest, AnAbandonedJobThatWaitsGivesItsPlaceBack) {
  BlockingPool pool("test-pool", 1);
  Hangers hangers(pool);
  ASSERT_NE(hangers.hang(), 0u);
  Probe dropped;
  BlockingPool::Ticket ticket = *pool.submit(dropped.job());
  for (std::size_t i = 1; i < BlockingPool::kMaxQueued; ++i)
    ASSERT_TRUE(pool.submit([](const Status&) {}));
  EXPECT_FALSE(pool.submit([](const Status&) {}));
  pool.abandon(ticket);
  dropped.told.reset();
  EXPECT_THROW(dropped.future.get(), std::future_error);  // its job is gone, uncalled
  EXPECT_TRUE(pool.submit([](const Status&) {}));
}

TEST(BlockingPoolTest, AHungCallDoesNotHoldUpTheOthers) {
  BlockingPool pool("test-pool", 1);
  {
    Hangers hangers(pool);
    const auto hung = hangers.hang();
    Probe queued;
    ASSERT_TRUE(pool.submit(queued.job()));
    pool.abandon(hung);
    pool.abandon(hung);  // once is enough
    EXPECT_TRUE(queued.future.get().has_value());
    EXPECT_EQ(pool.abandoned_count(), 1);
    EXPECT_EQ(pool.thread_count(), 2);
    Probe next;
    ASSERT_TRUE(pool.submit(next.job()));
    EXPECT_TRUE(next.future.get().has_value());
    EXPECT_EQ(pool.thread_count(), 2);
  }
}

TEST(BlockingPoolTest, WhenAllThreadsHangJobsAreRefusedUntilOneReturns) {
  BlockingPool pool("test-pool", 1);
  auto hangers = std::make_unique<Hangers>(pool);
  BlockingPool::Ticket last = 0;
  for (int i = 0; i <= BlockingPool::kMaxAbandoned; ++i) {
    pool.abandon(last);
    last = hangers->hang();
    ASSERT_NE(last, 0u) << i;
  }
  Probe queued;
  ASSERT_TRUE(pool.submit(queued.job()));
  pool.abandon(last);
  const Status told = queued.future.get();
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(told.error().message, "test-pool: all 9 threads hang in calls that were given up");
  const auto refused = pool.submit([](const Status&) {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(pool.thread_count(), 1 + BlockingPool::kMaxAbandoned);
  hangers.reset();
  while (!pool.submit([](const Status&) {})) std::this_thread::yield();
}

TEST(BlockingPoolTest, WithoutAThreadInPlaceOfTheHungOneTheQueueIsRefused) {
  BlockingPool pool("test-pool", 1);
  Hangers hangers(pool);
  const auto hung = hangers.hang();
  Probe queued;
  ASSERT_TRUE(pool.submit(queued.job()));
  base::set_thread_start_hook([](const std::string&) { return false; });
  pool.abandon(hung);
  base::set_thread_start_hook({});
  EXPECT_EQ(queued.future.get().error().code, ErrorCode::kUnavailable);
  Probe next;
  ASSERT_TRUE(pool.submit(next.job()));
  EXPECT_TRUE(next.future.get().has_value());
}

boost::asio::awaitable<Result<int>> run(BlockingPool& pool, std::function<Result<int>()> job,
                                        Deadline deadline) {
  co_return co_await run_blocking<int>(pool, std::move(job), deadline);
}

TEST(BlockingPoolTest, ADeadlineAbandonsTheCall) {
  Runtime& runtime = *shared_runtime();
  BlockingPool pool("test-pool", 1);
  std::promise<void> release;
  const std::shared_future<void> until = release.get_future().share();
  const auto late = block_on(runtime, run(
                                          pool,
                                          [until] {
                                            until.wait();
                                            return Result<int>(1);
                                          },
                                          Deadline::after(1ms)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
  // The only thread hangs, or the call was never begun: the next one is run all the same.
  EXPECT_EQ(block_on(runtime, run(pool, [] { return Result<int>(2); }, {})).value_or(0), 2);
  release.set_value();
}

}  // namespace
}  // namespace ocellus::runtime
