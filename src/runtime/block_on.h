// Waiting for asynchronous work on a thread that has nothing else to do, such as a worker's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <utility>

#include "runtime/spawn.h"

namespace ocellus::runtime {

struct BlockOptions {
  CancelToken cancel = {};
  CancelToken stop = {};  // as SpawnOptions::stop
  Deadline deadline = {};
};

// Runs `work` on the runtime and gives its value or its error; errors as Task::take(). It may refer
// to the caller's variables: the call returns only when the coroutine is gone, cancelled or not.
// On a runtime thread, where it would wait for itself: kInternal at once, the work is not started.
// On a worker's thread use Inbox::block_on, which ends when the worker is told to stop.
template <typename T>
Result<T> block_on(Runtime& runtime, boost::asio::awaitable<Result<T>> work,
                   BlockOptions options = {}) {
  if (runtime.on_runtime_thread()) {
    return std::unexpected(Error{ErrorCode::kInternal,
                                 "block_on: called on a runtime thread, where it would deadlock"});
  }
  return spawn(runtime, std::move(work),
               SpawnOptions{.cancel = std::move(options.cancel),
                            .stop = std::move(options.stop),
                            .deadline = options.deadline})
      .take();
}

}  // namespace ocellus::runtime
