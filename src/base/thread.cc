#include "base/thread.h"

#include <pthread.h>
#include <signal.h>

#include <system_error>

#include "base/result.h"

namespace ocellus::base {
namespace {

std::function<bool(const std::string&)>& hook_slot() {
  static auto* const hook = new std::function<bool(const std::string&)>;
  return *hook;
}

// All signals but those that a thread's own fault raises: a host's handlers for its own signals
// must not run on our threads, but its crash handler must, and a blocked fault would end the
// process without it.
sigset_t signals_for_others() {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT})
    sigdelset(&blocked, fault);
  return blocked;
}

}  // namespace

void set_thread_start_hook(std::function<bool(const std::string& name)> hook) {
  hook_slot() = std::move(hook);
}

Result<std::jthread> start_thread(const std::string& name, std::function<void()> body) {
  const auto refuse = [&](const std::string& why) {
    return make_error(ErrorCode::kUnavailable, "cannot start thread {}: {}", name, why);
  };
  if (hook_slot() && !hook_slot()(name)) return refuse("refused by the test hook");
  // The thread inherits the mask of the one that starts it.
  const sigset_t blocked = signals_for_others();
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  Result<std::jthread> result = std::jthread();
  try {
    result = std::jthread([name, body = std::move(body)] {
      pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
      body();
    });
  } catch (const std::system_error& error) {
    result = refuse(error.what());
  } catch (const std::bad_alloc&) {
    result = make_error(ErrorCode::kOutOfMemory, "cannot start thread {}: not enough memory", name);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return result;
}

}  // namespace ocellus::base
