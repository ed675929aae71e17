#include "runtime/runtime.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "base/thread.h"
#include "runtime/blocking.h"
#include "runtime/failure.h"
#include "runtime/task_core.h"

namespace ocellus::runtime {
namespace asio = boost::asio;

// One thread's. What belongs together runs on one loop and needs no strand, which Asio cannot keep
// working when memory runs out.
struct EventLoop {
  EventLoop() : context(1), guard(context.get_executor()) {
    // Makes the reactor, and with it all descriptors, now: later it would be somebody's request
    // that fails.
    asio::steady_timer timer(context);
  }

  void serve() noexcept {
    while (true) {
      try {
        context.run();
        return;
      } catch (...) {  // a handler's defect must not take the runtime with it
        base::log(base::LogLevel::kError,
                  error_from_exception(std::current_exception(), "runtime thread").message);
      }
    }
  }

  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> guard;
};

struct Runtime::Impl {
  // Only when creation failed half-way; the threads end and are joined.
  ~Impl() { stop(); }

  void stop() noexcept {
    for (EventLoop& loop : loops) loop.context.stop();
  }

  std::array<EventLoop, kIoThreads> loops;
  std::atomic<unsigned> next_loop = 0;
  BlockingPool files{"ocellus-file", kMaxFileThreads};
  BlockingPool lookups{"ocellus-dns", kMaxLookupThreads};
  const pid_t process = ::getpid();
  std::mutex mutex;
  std::unordered_set<TaskCore*> tasks;
  bool ended = false;
  std::vector<std::jthread> threads;
};

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runtime::~Runtime() = default;

asio::any_io_executor Runtime::executor() {
  const unsigned next = impl_->next_loop.fetch_add(1, std::memory_order_relaxed);
  return impl_->loops[next % kIoThreads].context.get_executor();
}

bool Runtime::on_runtime_thread() const noexcept {
  return std::ranges::any_of(impl_->loops, [](EventLoop& loop) {
    return loop.context.get_executor().running_in_this_thread();
  });
}

int Runtime::thread_count() const noexcept {
  return kIoThreads + impl_->files.thread_count() + impl_->lookups.thread_count();
}

BlockingPool& Runtime::file_pool() noexcept { return impl_->files; }
BlockingPool& Runtime::lookup_pool() noexcept { return impl_->lookups; }

bool Runtime::add_task(TaskCore* task) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->ended) return false;
  impl_->tasks.insert(task);
  return true;
}

void Runtime::remove_task(TaskCore* task) noexcept {
  const std::lock_guard lock(impl_->mutex);
  impl_->tasks.erase(task);
}

void Runtime::quiesce() noexcept {
  if (::getpid() != impl_->process) return;  // a forked child has none of the threads
  impl_->stop();
  if (on_runtime_thread()) return;  // a handler ended the process: nothing can be waited for
  impl_->threads.clear();
  std::unordered_set<TaskCore*> left;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->ended = true;
    left.swap(impl_->tasks);
  }
  // They stay alive: their coroutines lie, unfinished, in the stopped context.
  for (TaskCore* task : left) task->abandon();
}

// The only maker of a Runtime.
struct RuntimeMaker {
  static Result<Runtime*> make() {
    try {
      auto impl = std::make_unique<Runtime::Impl>();
      impl->threads.reserve(Runtime::kIoThreads);
      for (int i = 0; i < Runtime::kIoThreads; ++i) {
        EventLoop& loop = impl->loops[static_cast<std::size_t>(i)];
        auto thread =
            base::start_thread(fmt::format("ocellus-io-{}", i), [&loop] { loop.serve(); });
        if (!thread) {
          impl->stop();
          return base::make_error(thread.error().code, "Runtime unavailable: thread {} of {}: {}",
                                  i + 1, Runtime::kIoThreads, thread.error().message);
        }
        impl->threads.push_back(*std::move(thread));
      }
      return new Runtime(std::move(impl));
    } catch (const std::bad_alloc&) {
      return base::make_error(ErrorCode::kOutOfMemory, "Runtime unavailable: not enough memory");
    } catch (const std::exception& e) {  // Asio says which descriptor it could not have
      return base::make_error(ErrorCode::kUnavailable, "Runtime unavailable: {}", e.what());
    }
  }
  static void quiesce(Runtime& runtime) { runtime.quiesce(); }
};

namespace {

// The shared runtime, and the lock under which it is made. Never
// destroyed: threads may ask for the runtime until the very end.
struct Shared {
  std::atomic<Runtime*> runtime = nullptr;
  std::atomic<int> creations = 0;
  std::mutex mutex;
  std::string error;  // guarded by mutex
};

Shared& shared() {
  static auto* const instance = new Shared;
  return *instance;
}

void quiesce_at_exit() {
  if (Runtime* runtime = shared().runtime.load()) RuntimeMaker::quiesce(*runtime);
}

}  // namespace

Result<Runtime*> try_shared_runtime() {
  Shared& s = shared();
  if (Runtime* runtime = s.runtime.load(std::memory_order_acquire)) return runtime;
  const std::lock_guard lock(s.mutex);
  if (Runtime* runtime = s.runtime.load(std::memory_order_acquire)) return runtime;
  auto made = RuntimeMaker::make();
  if (!made) {
    s.error = made.error().message;
    base::log(base::LogLevel::kError, s.error);
    return made;
  }
  s.error.clear();
  s.creations.fetch_add(1);
  s.runtime.store(*made, std::memory_order_release);
  std::atexit(quiesce_at_exit);
  return made;
}

Runtime* shared_runtime() noexcept {
  try {
    return try_shared_runtime().value_or(nullptr);
  } catch (...) {  // no memory even for the message
    return nullptr;
  }
}

std::string shared_runtime_error() {
  const std::lock_guard lock(shared().mutex);
  return shared().error;
}

int shared_runtime_creations() noexcept { return shared().creations.load(); }

}  // namespace ocellus::runtime

#ifdef __SANITIZE_THREAD__
// Asio frees an executor's shared part after atomic_thread_fence, which ThreadSanitizer does not
// model (GCC warns of it: -Wtsan): the free looks like a race with the other thread's count-down.
// Only that one place in Asio is excused, nothing of ours.
extern "C" [[gnu::visibility("default")]] const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:boost::asio::execution::detail::any_executor_base::destroy_shared\n";
}
#endif
