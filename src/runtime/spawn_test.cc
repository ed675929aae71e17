#include "runtime/spawn.h"

#include <gtest/gtest.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <condition_variable>
#include <future>
#include <latch>
#include <new>
#include <thread>
#include <vector>

#include "runtime/block_on.h"
#include "runtime/blocking.h"

namespace ocellus::runtime {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<Result<int>> value_of(int value) { co_return value; }

asio::awaitable<Result<int>> refuse() {
  co_return std::unexpected(Error{ErrorCode::kFetchFailed, "no such thing"});
}

asio::awaitable<Result<int>> for_ever(std::shared_ptr<std::latch> started = {}) {
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  if (started) started->count_down();
  co_await timer.async_wait(asio::use_awaitable);
  co_return 0;
}

template <typename Exception>
asio::awaitable<Result<int>> throwing(Exception exception) {
  co_await asio::this_coro::executor;
  throw exception;
}

class Spawn : public testing::Test {
 protected:
  Runtime& runtime = *shared_runtime();
};

TEST_F(Spawn, BlockOnGivesTheValueOrTheError) {
  EXPECT_EQ(block_on(runtime, value_of(5)).value_or(0), 5);
  const auto error = block_on(runtime, refuse());
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code, ErrorCode::kFetchFailed);
  EXPECT_EQ(error.error().message, "no such thing");
  EXPECT_TRUE(block_on(runtime, []() -> asio::awaitable<Status> { co_return Status(); }()));
}

TEST_F(Spawn, ExceptionsBecomeErrors) {
  const auto internal = block_on(runtime, throwing(std::runtime_error("odd")));
  ASSERT_FALSE(internal);
  EXPECT_EQ(internal.error().code, ErrorCode::kInternal);
  EXPECT_NE(internal.error().message.find("odd"), std::string::npos);
  const auto memory = block_on(runtime, throwing(std::bad_alloc()));
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(block_on(runtime, throwing(7)).error().code, ErrorCode::kInternal);
}

TEST_F(Spawn, BlockOnOnARuntimeThreadIsAnErrorAndNeverADeadlock) {
  bool started = false;
  const auto outer = block_on(runtime, [](Runtime& rt, bool& ran) -> asio::awaitable<Result<int>> {
    auto inner = [](bool& r) -> asio::awaitable<Result<int>> {
      r = true;
      co_return 1;
    };
    EXPECT_TRUE(rt.on_runtime_thread());
    co_return block_on(rt, inner(ran));
  }(runtime, started));
  ASSERT_FALSE(outer);
  EXPECT_EQ(outer.error().code, ErrorCode::kInternal);
  EXPECT_FALSE(started);
  EXPECT_FALSE(runtime.on_runtime_thread());
}

TEST_F(Spawn, TakingAnUnfinishedTaskOnARuntimeThreadIsAnError) {
  const auto outer = block_on(runtime, [](Runtime& rt) -> asio::awaitable<Result<int>> {
    auto task = spawn(rt, for_ever());
    co_return task.take();
  }(runtime));
  ASSERT_FALSE(outer);
  EXPECT_EQ(outer.error().code, ErrorCode::kInternal);
}

TEST_F(Spawn, DeadlineEndsTheWork) {
  const auto before = Deadline::Clock::now();
  const auto result = block_on(runtime, for_ever(), {.deadline = Deadline::after(20ms)});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_GE(Deadline::Clock::now() - before, 20ms);
}

TEST_F(Spawn, WorkWhoseTimeIsOverIsNeverStarted) {
  bool started = false;
  const auto work = [](bool& ran) -> asio::awaitable<Result<int>> {
    ran = true;
    co_return 1;
  };
  EXPECT_EQ(block_on(runtime, work(started), {.deadline = Deadline::after(-1ns)}).error().code,
            ErrorCode::kDeadlineExceeded);
  CancelSource source;
  source.cancel();
  EXPECT_EQ(block_on(runtime, work(started), {.cancel = source.token()}).error().code,
            ErrorCode::kCancelled);
  EXPECT_FALSE(started);
}

TEST_F(Spawn, TokenCancelsWithinATenthOfASecond) {
  CancelSource source;
  const auto started = std::make_shared<std::latch>(1);
  auto task = spawn(runtime, for_ever(started), {.cancel = source.token()});
  started->wait();
  EXPECT_FALSE(task.ready());
  const auto before = Deadline::Clock::now();
  source.cancel();
  const auto result = task.take();
  EXPECT_LT(Deadline::Clock::now() - before, 100ms);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
}

TEST_F(Spawn, CancellingAFinishedTaskKeepsItsValue) {
  auto task = spawn(runtime, value_of(9));
  ASSERT_TRUE(task.wait());
  task.cancel();
  EXPECT_EQ(task.take().value_or(0), 9);
  EXPECT_EQ(task.take().error().code, ErrorCode::kInternal);  // once only
}

TEST_F(Spawn, WorkThatSwallowsTheCancellationIsStoppedAtItsNextWait) {
  CancelSource source;
  const auto started = std::make_shared<std::latch>(1);
  auto task = spawn(runtime,
                    [](std::shared_ptr<std::latch> s) -> asio::awaitable<Result<int>> {
                      try {
                        co_await for_ever(s);
                      } catch (const std::exception&) {
                      }
                      co_return co_await for_ever();
                    }(started),
                    {.cancel = source.token()});
  started->wait();
  source.cancel();
  EXPECT_EQ(task.take().error().code, ErrorCode::kCancelled);
}

// Lives in a coroutine; tells when it is gone.
struct Guard {
  std::shared_ptr<std::promise<void>> gone;
  ~Guard() { gone->set_value(); }
};

TEST_F(Spawn, DroppingTheTaskCancelsTheWork) {
  const auto gone = std::make_shared<std::promise<void>>();
  auto future = gone->get_future();
  {
    const auto started = std::make_shared<std::latch>(1);
    auto task = spawn(runtime,
                      [](std::shared_ptr<std::promise<void>> g,
                         std::shared_ptr<std::latch> s) -> asio::awaitable<Result<int>> {
                        const Guard guard{g};
                        co_return co_await for_ever(s);
                      }(gone, started));
    started->wait();
  }
  EXPECT_EQ(future.wait_for(5s), std::future_status::ready);
}

TEST_F(Spawn, WhenTakeReturnsTheCoroutineIsGone) {
  for (int i = 0; i < 200; ++i) {
    bool alive = true;
    struct Flag {
      bool& alive;
      ~Flag() { alive = false; }
    };
    const auto result = block_on(runtime,
                                 [](bool& a) -> asio::awaitable<Result<int>> {
                                   const Flag flag{a};
                                   co_return co_await for_ever();
                                 }(alive),
                                 {.deadline = Deadline::after(100us)});
    EXPECT_FALSE(alive && result.error().message != "deadline exceeded");
    if (alive) continue;  // expired before it was started
    EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  }
}

TEST_F(Spawn, CompletionIsToldOnceAndItsExceptionHarmsNobody) {
  std::promise<void> told;
  auto task = spawn(runtime, value_of(1), {.on_done = [&] {
                      told.set_value();
                      throw std::runtime_error("from the callback");
                    }});
  EXPECT_EQ(told.get_future().wait_for(5s), std::future_status::ready);
  EXPECT_EQ(task.take().value_or(0), 1);
  EXPECT_EQ(block_on(runtime, value_of(2)).value_or(0), 2);
}

TEST_F(Spawn, CancellationAtEveryMomentEndsEveryTask) {
  constexpr int kThreads = 8;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        CancelSource source;
        auto task = spawn(runtime, for_ever(),
                          {.cancel = source.token(), .deadline = Deadline::after(i * 10us)});
        if (i % 3 == 0) source.cancel();
        if (i % 3 == 1) task.cancel();
        if (i % 7 == 0) continue;  // dropped
        const auto result = task.take();
        ASSERT_FALSE(result);
        EXPECT_TRUE(result.error().code == ErrorCode::kCancelled ||
                    result.error().code == ErrorCode::kDeadlineExceeded);
      }
    });
  }
}

TEST_F(Spawn, ABlockingCallIsAwaitedAndAbandonedWhenCancelled) {
  const auto caller = std::this_thread::get_id();
  EXPECT_EQ(block_on(runtime,
                     run_blocking<bool>(
                         runtime.file_pool(),
                         [caller] { return Result<bool>(std::this_thread::get_id() != caller); })),
            Result<bool>(true));
  const auto threw = block_on(runtime, run_blocking<int>(runtime.file_pool(), []() -> Result<int> {
                                throw std::runtime_error("in the pool");
                              }));
  EXPECT_EQ(threw.error().code, ErrorCode::kInternal);

  const auto release = std::make_shared<std::promise<void>>();
  const auto entered = std::make_shared<std::latch>(1);
  CancelSource source;
  auto task = spawn(runtime,
                    run_blocking<int>(runtime.file_pool(),
                                      [release, entered] {
                                        entered->count_down();
                                        release->get_future().wait();
                                        return Result<int>(1);
                                      }),
                    {.cancel = source.token()});
  entered->wait();
  source.cancel();
  EXPECT_EQ(task.take().error().code, ErrorCode::kCancelled);
  release->set_value();
  EXPECT_GT(runtime.thread_count(), Runtime::kIoThreads);
  EXPECT_LE(runtime.thread_count(), Runtime::kIoThreads + Runtime::kMaxFileThreads);
}

TEST_F(Spawn, TheOwnersStopEndsTheWork) {
  CancelSource stop;
  const auto started = std::make_shared<std::latch>(1);
  auto task = spawn(runtime, for_ever(started), {.stop = stop.token()});
  started->wait();
  stop.cancel();
  const auto result = task.take();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(block_on(runtime, value_of(1), {.stop = stop.token()}).error().code,
            ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace ocellus::runtime
