#include "runtime/worker.h"

#include <gtest/gtest.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <latch>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/sha256.h"
#include "runtime/block_on.h"

namespace ocellus::runtime {
namespace {

using namespace std::chrono_literals;

// A second kind of worker, to keep the pattern general: hashes texts, after a wait on the runtime.
struct HashRequest {
  std::string text;
  std::promise<Result<std::string>> answer;
  void fail(Error error) { answer.set_value(std::unexpected(std::move(error))); }
};

boost::asio::awaitable<Result<std::string>> async_later(std::string text) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 100us);
  co_await timer.async_wait(boost::asio::use_awaitable);
  co_return text;
}

struct Hasher {
  std::thread::id made_on = std::this_thread::get_id();
  std::latch* entered = nullptr;
  std::latch* go_on = nullptr;

  void handle(HashRequest& request, Inbox<HashRequest>& inbox) {
    if (entered) entered->count_down();
    if (go_on) go_on->wait();
    if (std::this_thread::get_id() != made_on) throw std::logic_error("another thread");
    if (request.text == "throw") throw std::runtime_error("asked to throw");
    const auto text = inbox.block_on(async_later(request.text));
    if (!text) return request.fail(text.error());
    request.answer.set_value(base::to_hex(base::sha256(std::as_bytes(std::span(*text)))));
  }
};

using HashWorker = Worker<Hasher, HashRequest>;

Result<std::unique_ptr<HashWorker>> start(std::latch* entered = nullptr,
                                          std::latch* go_on = nullptr, std::size_t capacity = 8) {
  return HashWorker::start({.name = "hasher", .mailbox_capacity = capacity},
                           [=](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Hasher>> {
                             auto state = std::make_unique<Hasher>();
                             state->entered = entered;
                             state->go_on = go_on;
                             return state;
                           });
}

std::future<Result<std::string>> ask(HashWorker& worker, std::string text) {
  HashRequest request{std::move(text), {}};
  auto answer = request.answer.get_future();
  const auto status = worker.submit(std::move(request));
  if (!status) request.fail(status.error());  // a refused request stays with its caller
  return answer;
}

TEST(WorkerTest, AnswersAgainAndAgain) {
  auto worker = start();
  ASSERT_TRUE(worker && (*worker)->wait_ready());
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(ask(**worker, "abc").get().value_or(""),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }
}

TEST(WorkerTest, AnExceptionFailsThatRequestOnly) {
  auto worker = start();
  ASSERT_TRUE(worker && (*worker)->wait_ready());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE((*worker)->healthy());
    const auto failed = ask(**worker, "throw").get();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::kInternal);
  }
  EXPECT_FALSE((*worker)->healthy());  // three in a row
  // The second answer proves that the first was counted, which happens after it is given.
  EXPECT_TRUE(ask(**worker, "abc").get());
  EXPECT_TRUE(ask(**worker, "abc").get());
  EXPECT_TRUE((*worker)->healthy());
}

TEST(WorkerTest, AFailedStartIsToldToEverybody) {
  auto worker = HashWorker::start(
      {.name = "hasher"}, [](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Hasher>> {
        return std::unexpected(Error{ErrorCode::kBadModel, "damaged"});
      });
  ASSERT_TRUE(worker);
  const auto early = ask(**worker, "abc").get();  // queued before, or refused after
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().message, "damaged");
  for (int i = 0; i < 2; ++i) {
    const auto status = (*worker)->wait_ready();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, "damaged");
  }
  EXPECT_EQ(ask(**worker, "abc").get().error().message, "damaged");
}

TEST(WorkerTest, AThrowingStartIsAnError) {
  auto worker = HashWorker::start(
      {.name = "hasher"}, [](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Hasher>> {
        throw std::bad_alloc();
      });
  ASSERT_TRUE(worker);
  EXPECT_EQ((*worker)->wait_ready().error().code, ErrorCode::kOutOfMemory);
}

TEST(WorkerTest, WaitingForTheStartCanBeGivenUp) {
  std::latch go_on(1);
  auto worker = HashWorker::start(
      {.name = "hasher"}, [&](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Hasher>> {
        go_on.wait();
        return std::make_unique<Hasher>();
      });
  ASSERT_TRUE(worker);
  CancelSource cancel;
  cancel.cancel();
  EXPECT_EQ((*worker)->wait_ready(cancel.token()).error().code, ErrorCode::kCancelled);
  EXPECT_EQ((*worker)->wait_ready({}, Deadline::after(1ms)).error().code,
            ErrorCode::kDeadlineExceeded);
  go_on.count_down();
  EXPECT_TRUE((*worker)->wait_ready());
}

TEST(WorkerTest, AFullMailboxRefusesAndAShutdownAnswersWhatWaits) {
  std::latch entered(1), go_on(1);
  auto worker = start(&entered, &go_on, 2);
  ASSERT_TRUE(worker && (*worker)->wait_ready());
  auto running = ask(**worker, "abc");
  entered.wait();
  auto first = ask(**worker, "1");
  auto second = ask(**worker, "2");
  EXPECT_EQ(ask(**worker, "3").get().error().message, "mailbox is full");
  (*worker)->shutdown();
  go_on.count_down();
  EXPECT_EQ(running.get().error().code, ErrorCode::kUnavailable);  // its wait was ended
  EXPECT_EQ(first.get().error().message, "worker is shutting down");
  EXPECT_EQ(second.get().error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(ask(**worker, "4").get().error().message, "worker is shutting down");
}

// The other form: its own loop, several requests at a time, woken by what it spawned.
struct Juggler {
  struct Ball {
    HashRequest request;
    Task<std::string> task;
  };
  void run(Inbox<HashRequest>& inbox) {
    std::vector<Ball> balls;
    while (!inbox.stopping()) {
      while (auto request = inbox.try_pop()) {
        auto task = inbox.spawn(async_later(request->text));
        balls.push_back({std::move(*request), std::move(task)});
      }
      std::erase_if(balls, [](Ball& ball) {
        if (!ball.task.ready()) return false;
        ball.request.answer.set_value(ball.task.take());
        return true;
      });
      inbox.wait();
    }
    for (auto& ball : balls) ball.request.fail({ErrorCode::kUnavailable, "ending"});
  }
};

TEST(WorkerTest, AStateMayRunItsOwnLoop) {
  using JugglerWorker = Worker<Juggler, HashRequest>;
  auto worker =
      JugglerWorker::start({.name = "juggler", .mailbox_capacity = 64},
                           [](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Juggler>> {
                             return std::make_unique<Juggler>();
                           });
  ASSERT_TRUE(worker);
  std::vector<std::future<Result<std::string>>> answers;
  for (int i = 0; i < 50; ++i) {
    HashRequest request{std::to_string(i), {}};
    answers.push_back(request.answer.get_future());
    ASSERT_TRUE((*worker)->submit(std::move(request)));
  }
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(answers[static_cast<std::size_t>(i)].get().value_or(""), std::to_string(i));
  }
}

}  // namespace
}  // namespace ocellus::runtime
