#include "compute/cpu/pool/job_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <new>
#include <stdexcept>
#include <string>

#include "base/thread.h"

namespace ocellus::compute::cpu {
namespace {

// A queue of one thread whose first job waits until it is released.
struct Blocked {
  explicit Blocked(std::size_t capacity) : queue(*JobQueue::create(1, capacity)) {
    EXPECT_TRUE(queue->submit([this] {
      begun.count_down();
      release.wait();
    }));
    begun.wait();
  }

  std::latch begun{1}, release{1};
  std::unique_ptr<JobQueue> queue;
};

TEST(JobQueue, RunsJobsInOrderOnItsOwnThread) {
  std::vector<int> order;
  std::latch done(100);
  const auto queue = *JobQueue::create(1, 100);
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> apart = true;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(queue->submit([&, i] {
      order.push_back(i);
      apart = apart && std::this_thread::get_id() != caller;
      done.count_down();
    }));
  }
  done.wait();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(apart);
}

TEST(JobQueue, TwoThreadsRunTwoJobsAtOnce) {
  const auto queue = *make_jobs(2, 2);
  std::latch both(2), done(2);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(queue->submit([&] {
      both.arrive_and_wait();  // for ever, if one thread had both
      done.count_down();
    }));
  }
  done.wait();
}

TEST(JobQueue, RefusesWhatDoesNotFit) {
  Blocked blocked(2);
  int ran = 0;
  bool told = false;
  EXPECT_TRUE(blocked.queue->submit([&] { ++ran; }));
  EXPECT_TRUE(blocked.queue->submit([&] { ++ran; }));
  const Status full = blocked.queue->submit([&] { ran += 100; }, [&](Error) { told = true; });
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kUnavailable);
  blocked.release.count_down();
  std::latch done(1);
  while (!blocked.queue->submit([&] { done.count_down(); })) std::this_thread::yield();
  done.wait();
  EXPECT_EQ(ran, 2);
  EXPECT_FALSE(told);
}

TEST(JobQueue, DestructionWaitsForTheRunningJobAndDropsTheOthers) {
  std::atomic<int> finished = 0, ran = 0;
  std::vector<ErrorCode> told;
  std::latch begun(1), release(1);
  auto queue = *JobQueue::create(1, 3);
  ASSERT_TRUE(queue->submit([&] {
    begun.count_down();
    release.wait();
    finished = 1;
  }));
  begun.wait();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(queue->submit([&] { ++ran; },
                              [&](const Error& error) {
                                told.push_back(error.code);
                                // The queue is being destroyed, or nothing would be dropped.
                                if (told.size() == 1) release.count_down();
                              }));
  }
  ASSERT_TRUE(queue->submit([&] { ++ran; }));  // nobody to tell
  queue.reset();
  EXPECT_EQ(finished, 1);
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(told, (std::vector<ErrorCode>(2, ErrorCode::kUnavailable)));
}

TEST(JobQueue, ExceptionsStayInside) {
  const auto queue = *JobQueue::create(1, 8);
  std::vector<Error> errors;
  std::latch done(1);
  const auto keep = [&](Error error) { errors.push_back(std::move(error)); };
  ASSERT_TRUE(queue->submit([] { throw std::bad_alloc(); }, keep));
  ASSERT_TRUE(queue->submit([] { throw std::runtime_error("the reason"); }, keep));
  ASSERT_TRUE(queue->submit([] { throw 7; }, keep));
  ASSERT_TRUE(queue->submit([] { throw 7; }));
  ASSERT_TRUE(queue->submit([] { throw 7; }, [](const Error&) { throw 8; }));
  ASSERT_TRUE(queue->submit([&] { done.count_down(); }));
  done.wait();
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0].code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(errors[1].code, ErrorCode::kInternal);
  EXPECT_EQ(errors[1].message, "the reason");
  EXPECT_EQ(errors[2].code, ErrorCode::kInternal);
}

TEST(JobQueue, AJobMaySubmitAnother) {
  const auto queue = *JobQueue::create(1, 1);
  std::latch done(1);
  ASSERT_TRUE(queue->submit([&] { EXPECT_TRUE(queue->submit([&] { done.count_down(); })); }));
  done.wait();
}

TEST(JobQueue, CannotBeMadeWithoutThreadsOrRoom) {
  EXPECT_EQ(JobQueue::create(0, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(JobQueue::create(1, 0).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(make_jobs(1, std::size_t{1} << 62).error().code, ErrorCode::kOutOfMemory);
  int acc_init = 0;
  base::set_thread_start_hook(
      [&](const std::string& name) { return !name.starts_with("ocellus-job") || ++acc_init < 2; });
  const auto refused = JobQueue::create(2, 1);
  base::set_thread_start_hook({});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
}

TEST(Pool, IsMadeWithAsManyThreadsAsAskedFor) {
  EXPECT_EQ((*make_pool(3))->threads(), 3);
  EXPECT_GE((*make_pool(0))->threads(), 1);
  EXPECT_EQ(make_pool(-1).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace ocellus::compute::cpu
