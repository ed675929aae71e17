// How workers end, and who is told of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/blocking.h"
#include "runtime/worker.h"
#include "runtime/writer.h"

namespace ocellus::runtime {
namespace {

using namespace std::chrono_literals;

// What somebody waits at: as an answer's stream.
class Channel {
 public:
  void fail(Error error) { end(std::unexpected(std::move(error))); }
  void finish() { end({}); }
  Status wait() { return future_.get(); }

 private:
  void end(Status status) {
    if (!std::exchange(ended_, true)) promise_.set_value(std::move(status));
  }
  bool ended_ = false;
  std::promise<Status> promise_;
  std::future<Status> future_ = promise_.get_future();
};

struct Job {
  int kind = 0;
  Writer<Channel> writer;
  void fail(Error error) { writer->fail(std::move(error)); }
};

struct Submitted {
  std::shared_ptr<Channel> channel = std::make_shared<Channel>();
  Status status;
};

template <typename W>
Submitted submit(W& worker, int kind) {
  Submitted s;
  Job job{kind, Writer<Channel>(s.channel)};
  s.status = worker.submit(std::move(job));
  return s;
}

TEST(WriterTest, AnAbandonedChannelFailsAndAFinishedOneDoesNot) {
  const auto abandoned = std::make_shared<Channel>();
  { const Writer<Channel> writer(abandoned); }
  EXPECT_EQ(abandoned->wait().error().code, ErrorCode::kUnavailable);
  const auto finished = std::make_shared<Channel>();
  {
    Writer<Channel> writer(finished);
    const Writer<Channel> moved = std::move(writer);
    EXPECT_FALSE(writer);
    moved->finish();
  }
  EXPECT_TRUE(finished->wait().has_value());
  const auto replaced = std::make_shared<Channel>();
  Writer<Channel> writer(replaced);
  writer = Writer<Channel>(std::make_shared<Channel>());
  EXPECT_EQ(replaced->wait().error().code, ErrorCode::kUnavailable);
}

// A loop that keeps what it takes, until told to end in some way.
struct Keeper {
  enum { kKeep, kThrow, kNoMemory, kReturn, kHang };
  std::vector<Job> kept;
  std::latch* go_on = nullptr;

  void run(Inbox<Job>& inbox) {
    while (!inbox.stopping()) {
      if (go_on) go_on->wait();
      while (auto job = inbox.try_pop()) {
        const int kind = job->kind;
        kept.push_back(std::move(*job));
        if (kind == kThrow) throw std::runtime_error("defect");
        if (kind == kNoMemory) throw std::bad_alloc();
        if (kind == kReturn) return;
      }
      inbox.wait();
    }
  }
};
using KeeperWorker = Worker<Keeper, Job>;

std::unique_ptr<KeeperWorker> start_keeper(std::latch* go_on = nullptr) {
  auto worker = KeeperWorker::start(
      {.name = "keeper"}, [=](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Keeper>> {
        auto state = std::make_unique<Keeper>();
        state->go_on = go_on;
        return state;
      });
  return worker ? *std::move(worker) : nullptr;
}

TEST(WorkerEndTest, HoweverTheLoopEndsEverybodyIsTold) {
  for (const int way : {Keeper::kThrow, Keeper::kNoMemory, Keeper::kReturn}) {
    std::latch go_on(1);
    auto worker = start_keeper(&go_on);
    ASSERT_TRUE(worker && worker->wait_ready());
    EXPECT_TRUE(worker->alive());
    const auto taken = submit(*worker, Keeper::kKeep);
    const auto culprit = submit(*worker, way);
    const auto not_taken = submit(*worker, Keeper::kKeep);
    ASSERT_TRUE(taken.status && culprit.status && not_taken.status);
    go_on.count_down();
    const ErrorCode code = way == Keeper::kThrow      ? ErrorCode::kInternal
                           : way == Keeper::kNoMemory ? ErrorCode::kOutOfMemory
                                                      : ErrorCode::kUnavailable;
    EXPECT_EQ(not_taken.channel->wait().error().code, code);
    EXPECT_EQ(taken.channel->wait().error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(culprit.channel->wait().error().code, ErrorCode::kUnavailable);
    EXPECT_TRUE(worker->end()->wait());
    EXPECT_FALSE(worker->alive());
    ASSERT_TRUE(worker->ready().has_value());
    EXPECT_EQ(worker->ready()->error().code, code);
    EXPECT_EQ(worker->wait_ready().error().code, code);
    EXPECT_EQ(submit(*worker, Keeper::kKeep).status.error().code, code);
  }
}

TEST(WorkerEndTest, AShutdownDuringTheStartStopsItAndReleasesWhoWaits) {
  std::latch started(1), go_on(1);
  auto worker = KeeperWorker::start(
      {.name = "keeper"},
      [&](Runtime&, const CancelToken& stop) -> Result<std::unique_ptr<Keeper>> {
        const CancelCallback on_stop(stop, [&] { go_on.count_down(); });
        started.count_down();
        go_on.wait();
        return std::unexpected(Error{ErrorCode::kCancelled, "stopped"});
      });
  ASSERT_TRUE(worker);
  started.wait();
  auto waiter = std::async(std::launch::async, [&] { return (*worker)->wait_ready(); });
  const auto early = submit(**worker, Keeper::kKeep);
  ASSERT_TRUE(early.status);
  (*worker)->shutdown();
  EXPECT_EQ(waiter.get().error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE((*worker)->alive());
  EXPECT_FALSE(early.channel->wait().has_value());
  EXPECT_TRUE((*worker)->end()->wait());
}

TEST(WorkerEndTest, WhoWaitsIsReleasedBeforeAStartThatDoesNotLook) {
  std::latch started(1), go_on(1);
  auto worker = KeeperWorker::start(
      {.name = "keeper"}, [&](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Keeper>> {
        started.count_down();
        go_on.wait();
        return std::make_unique<Keeper>();
      });
  ASSERT_TRUE(worker);
  started.wait();
  (*worker)->shutdown();
  EXPECT_EQ((*worker)->wait_ready().error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE((*worker)->end()->wait({}, Deadline::after(1ms)));  // its state may yet be made
  go_on.count_down();
  EXPECT_TRUE((*worker)->end()->wait());
  EXPECT_EQ((*worker)->ready()->error().code, ErrorCode::kUnavailable);  // and stays so
}

// Counts those that exist.
struct Counted {
  std::atomic<int>& alive;
  int most_seen;
  explicit Counted(std::atomic<int>& count) : alive(count), most_seen(++count) {}
  ~Counted() { --alive; }
  void run(Inbox<Job>& inbox) {
    while (!inbox.stopping()) inbox.wait();
  }
};

TEST(WorkerEndTest, ASuccessorWaitsUntilThePredecessorsStateIsGone) {
  using CountedWorker = Worker<Counted, Job>;
  std::atomic<int> alive = 0, most = 0;
  std::latch started(1), go_on(1);
  auto first = CountedWorker::start(
      {.name = "first"}, [&](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Counted>> {
        auto state = std::make_unique<Counted>(alive);
        started.count_down();
        go_on.wait();
        return state;
      });
  ASSERT_TRUE(first);
  started.wait();
  (*first)->shutdown();
  const auto make = [&](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Counted>> {
    auto state = std::make_unique<Counted>(alive);
    most = state->most_seen;
    return state;
  };
  auto given_up = CountedWorker::start({.name = "given-up", .after = (*first)->end()}, make);
  auto second = CountedWorker::start({.name = "second", .after = (*first)->end()}, make);
  ASSERT_TRUE(given_up && second);
  EXPECT_EQ((*second)->wait_ready({}, Deadline::after(1ms)).error().code,
            ErrorCode::kDeadlineExceeded);
  const auto gone = (*given_up)->end();
  given_up->reset();                                   // does not wait for the first
  EXPECT_FALSE(gone->wait({}, Deadline::after(1ms)));  // but whoever comes after it does
  go_on.count_down();
  EXPECT_TRUE(gone->wait());
  EXPECT_TRUE((*second)->wait_ready());
  EXPECT_EQ(most, 1);
}

// A start in a call that does not return: a model on a file server that is gone.
TEST(WorkerEndTest, AStartThatHangsIsLeftBehindAndItsSuccessorSaysSo) {
  const auto started = std::make_shared<std::latch>(1), go_on = std::make_shared<std::latch>(1);
  auto hung = KeeperWorker::start(
      {.name = "hung", .patience = 1ms},
      [started, go_on](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Keeper>> {
        started->count_down();
        go_on->wait();
        return std::make_unique<Keeper>();
      });
  ASSERT_TRUE(hung);
  started->wait();
  const auto end = (*hung)->end();
  hung->reset();  // does not wait for the thread
  EXPECT_FALSE(end->wait({}, Deadline::after(1ms)));
  const auto make = [](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Keeper>> {
    return std::make_unique<Keeper>();
  };
  auto next = KeeperWorker::start({.name = "next", .after = end, .patience = 1ms}, make);
  ASSERT_TRUE(next);
  EXPECT_EQ((*next)->wait_ready().error().code, ErrorCode::kUnavailable);
  EXPECT_THAT((*next)->wait_ready().error().message, testing::HasSubstr("hangs"));
  go_on->count_down();
  EXPECT_TRUE(end->wait());
  auto last = KeeperWorker::start({.name = "last", .after = (*next)->end()}, make);
  ASSERT_TRUE(last);
  EXPECT_TRUE((*last)->wait_ready());
}

// Reads a file that hangs, as one on a server that is gone: a FIFO that nobody writes to.
struct Reader {
  std::filesystem::path fifo;
  std::latch* entered;
  void handle(Job& job, Inbox<Job>& inbox) {
    std::function<Result<int>()> read = [path = fifo, signal = entered] {
      signal->count_down();
      std::ifstream file(path);
      return Result<int>(file.get());
    };
    const auto result =
        inbox.block_on(run_blocking<int>(inbox.runtime().file_pool(), std::move(read)));
    if (!result) return job.fail(result.error());
    job.writer->finish();
  }
};

TEST(WorkerEndTest, AHungReadDoesNotHoldUpTheEnd) {
  const auto fifo =
      std::filesystem::temp_directory_path() / ("ocellus-worker-" + std::to_string(::getpid()));
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::latch entered(1);
  using ReaderWorker = Worker<Reader, Job>;
  auto worker = ReaderWorker::start(
      {.name = "reader"}, [&](Runtime&, const CancelToken&) -> Result<std::unique_ptr<Reader>> {
        return std::make_unique<Reader>(fifo, &entered);
      });
  ASSERT_TRUE(worker);
  const auto asked = submit(**worker, 0);
  ASSERT_TRUE(asked.status);
  entered.wait();
  (*worker)->shutdown();
  EXPECT_EQ(asked.channel->wait().error().code, ErrorCode::kUnavailable);
  worker->reset();  // joins
  BlockingPool& files = shared_runtime()->file_pool();
  EXPECT_EQ(files.abandoned_count(), 1);
  std::ofstream(fifo) << 'x';  // lets the thread go
  std::filesystem::remove(fifo);
}

}  // namespace
}  // namespace ocellus::runtime
