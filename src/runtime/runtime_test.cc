#include "runtime/runtime.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <barrier>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/thread.h"
#include "runtime/block_on.h"
#include "runtime/blocking.h"

namespace ocellus::runtime {
namespace {

// Runs `body` in a forked child, where no runtime exists yet; true when it returned true. These
// tests come first in the file: in this process the runtime must not have been made before.
bool in_child(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

boost::asio::awaitable<Result<int>> answer(int value) { co_return value; }

TEST(RuntimeCreation, EveryThreadThatIsRefusedGivesAnErrorAndTheNextCallTriesAgain) {
  for (int refused = 0; refused < Runtime::kIoThreads; ++refused) {
    EXPECT_TRUE(in_child([refused] {
      std::string logged;
      set_log_sink([&](base::LogLevel, std::string_view line) { logged = line; });
      int starts = 0;
      base::set_thread_start_hook([&](const std::string&) { return starts++ != refused; });
      if (shared_runtime() != nullptr) return false;
      if (!shared_runtime_error().starts_with("Runtime unavailable: thread ")) return false;
      if (logged != shared_runtime_error() || shared_runtime_creations() != 0) return false;
      base::set_thread_start_hook({});
      Runtime* runtime = shared_runtime();
      if (runtime == nullptr || !shared_runtime_error().empty()) return false;
      return block_on(*runtime, answer(7)).value_or(0) == 7 && shared_runtime_creations() == 1;
    })) << "thread "
        << refused;
  }
}

TEST(RuntimeCreation, DescriptorExhaustionGivesAnErrorAtEveryLimit) {
  EXPECT_TRUE(in_child([] {
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    // The lowest free descriptor: below it the limit refuses everything.
    const int lowest = ::dup(2);
    ::close(lowest);
    bool made = false;
    bool refused_once = false;
    for (int extra = 0; extra < 16 && !made; ++extra) {
      rlimit limit = before;
      limit.rlim_cur = static_cast<rlim_t>(lowest + extra);
      ::setrlimit(RLIMIT_NOFILE, &limit);
      const auto runtime = try_shared_runtime();
      ::setrlimit(RLIMIT_NOFILE, &before);
      made = runtime.has_value();
      if (!made) {
        refused_once = true;
        if (runtime.error().code != ErrorCode::kUnavailable) return false;
        if (runtime.error().message.find("Too many open files") == std::string::npos) return false;
      }
    }
    return made && refused_once && block_on(*shared_runtime(), answer(3)).value_or(0) == 3;
  }));
}

// A static object that outlives the runtime's threads and still waits for a task.
struct Late {
  Task<int> task;
  ~Late() {
    if (!task_given) return;
    const auto result = task.take();
    const bool told = !result && result.error().code == ErrorCode::kUnavailable;
    const auto after = block_on(*shared_runtime(), answer(1));
    ::_exit(told && !after && after.error().code == ErrorCode::kUnavailable ? 0 : 1);
  }
  bool task_given = false;
};

boost::asio::awaitable<Result<int>> endless(Runtime& runtime) {
  std::function<Result<int>()> job = [] {
    ::pause();
    return Result<int>(0);
  };
  co_return co_await run_blocking<int>(runtime.file_pool(), std::move(job));
}

TEST(RuntimeCreation, WhoeverWaitsAtTheEndOfTheProcessIsTold) {
  EXPECT_TRUE(in_child([] {
    static Late late;
    late.task = spawn(*shared_runtime(), endless(*shared_runtime()));
    late.task_given = true;
    std::exit(1);
    return false;
  }));
}

TEST(Runtime, SixtyFourThreadsShareOne) {
  constexpr int kThreads = 64;
  std::barrier start(kThreads);
  std::vector<Runtime*> seen(kThreads);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        start.arrive_and_wait();
        seen[static_cast<std::size_t>(i)] = shared_runtime();
      });
    }
  }
  ASSERT_NE(seen[0], nullptr);
  for (Runtime* runtime : seen) EXPECT_EQ(runtime, seen[0]);
  EXPECT_EQ(shared_runtime_creations(), 1);
  EXPECT_EQ(seen[0]->thread_count(), Runtime::kIoThreads);
}

}  // namespace
}  // namespace ocellus::runtime
