#include "runtime/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace ocellus::runtime {
namespace {

using namespace std::chrono_literals;
using Box = Mailbox<std::unique_ptr<int>>;

TEST(MailboxTest, RefusesAtOnceWhenFullAndLeavesTheItem) {
  Box box(2);
  EXPECT_TRUE(box.try_push(std::make_unique<int>(1)));
  EXPECT_TRUE(box.try_push(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  const auto refused = box.try_push(std::move(third));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(**box.try_pop(), 1);
  EXPECT_TRUE(box.try_push(std::move(third)));
  EXPECT_EQ(**box.pop(), 2);
  EXPECT_EQ(**box.pop(), 3);
  EXPECT_FALSE(box.try_pop());
}

TEST(MailboxTest, ClosingRefusesPushesEndsPopAndLeavesTheRestToTryPop) {
  Box box(2);
  EXPECT_TRUE(box.try_push(std::make_unique<int>(1)));
  box.close();
  EXPECT_FALSE(box.try_push(std::make_unique<int>(2)));
  EXPECT_FALSE(box.pop());
  EXPECT_EQ(box.wait(), Box::Event::kClosed);
  EXPECT_EQ(**box.try_pop(), 1);
}

TEST(MailboxTest, WaitTellsWhatHappened) {
  Box box(1);
  EXPECT_EQ(box.wait(Deadline::after(1ms)), Box::Event::kDeadline);
  box.wake();
  EXPECT_EQ(box.wait(), Box::Event::kWoken);
  EXPECT_EQ(box.wait(Deadline::after(1ms)), Box::Event::kDeadline);
  EXPECT_TRUE(box.try_push(std::make_unique<int>(1)));
  EXPECT_EQ(box.wait(), Box::Event::kItem);
  EXPECT_EQ(box.size(), 1u);
}

TEST(MailboxTest, ManyProducersLoseNothing) {
  Box box(4);
  std::vector<std::jthread> producers;
  for (int p = 0; p < 4; ++p) {
    producers.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        auto item = std::make_unique<int>(1);
        while (!box.try_push(std::move(item))) std::this_thread::yield();
      }
    });
  }
  int sum = 0;
  for (int i = 0; i < 2000; ++i) sum += **box.pop();
  EXPECT_EQ(sum, 2000);
}

}  // namespace
}  // namespace ocellus::runtime
