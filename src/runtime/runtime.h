// The process's only asynchronous runtime: every file read, download, timer and socket runs on it.
#pragma once

#include <memory>
#include <string>

#include "ocellus/error.h"

namespace boost::asio {
class any_io_executor;
}

namespace ocellus::runtime {

class BlockingPool;
class TaskCore;

// Boost.Asio event loops, each with a thread of its own. Reached through shared_runtime() and
// passed on by reference from there; there is no other way to make one. Every member may be called
// from any thread.
//
// Life: created on first use, never destroyed, so a reference is good for ever. When the process
// exits normally its threads are stopped and joined (a handler that ran during the destruction of
// static objects could touch what is gone); work still pending then completes with kUnavailable. In
// a forked child the runtime must not be used.
class Runtime {
 public:
  // Two: handlers are short (no decoding, no computing), and one that is a little long must not
  // hold up the other requests.
  static constexpr int kIoThreads = 2;
  // Calls that the system offers only as blocking ones run on threads of their own, started when
  // first needed: reading files, and looking up names, which may take many seconds and cannot be
  // stopped. More are started only in place of those that hang.
  static constexpr int kMaxFileThreads = 2;
  static constexpr int kMaxLookupThreads = 6;

  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // That of one of the loops, alternately. Spawned coroutines stay on one loop, which is
  // this_coro::executor to them (spawn.h).
  boost::asio::any_io_executor executor();
  // Whether the calling thread is one of the runtime's own, where waiting for the runtime would be
  // waiting for oneself.
  bool on_runtime_thread() const noexcept;
  // Threads that exist now: kIoThreads, and those for blocking calls that were needed so far
  // (blocking.h).
  int thread_count() const noexcept;

  BlockingPool& file_pool() noexcept;
  BlockingPool& lookup_pool() noexcept;

 private:
  friend struct RuntimeMaker;
  friend class TaskCore;
  struct Impl;

  explicit Runtime(std::unique_ptr<Impl> impl);
  ~Runtime();
  // Remembers a task until it is done, for the end of the process; false: that end has come.
  bool add_task(TaskCore* task);
  void remove_task(TaskCore* task) noexcept;
  void quiesce() noexcept;

  std::unique_ptr<Impl> impl_;
};

// The runtime, made by the first call however many threads race for it. Null when it cannot be had
// (a thread, a descriptor or memory is refused): the reason is logged, shared_runtime_error() tells
// it, and the next call tries again. Once non-null, always the same.
Runtime* shared_runtime() noexcept;

// The same with the reason: kUnavailable or kOutOfMemory, "Runtime unavailable: ...".
Result<Runtime*> try_shared_runtime();

// Why the last attempt failed; empty when it succeeded or there was none.
std::string shared_runtime_error();

// Test seam: how many runtimes have been made in this process. Never more than one.
int shared_runtime_creations() noexcept;

}  // namespace ocellus::runtime
