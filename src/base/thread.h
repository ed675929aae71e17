// The one place where threads are started, so that "cannot start" is an error and a test can cause
// it.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "ocellus/error.h"

namespace ocellus::base {

// A joined-on-destruction thread with a name (at most 15 characters are shown by the system).
// It blocks every signal that is not a fault of its own (SIGSEGV, SIGBUS and their like), so that
// the program's signal handlers run on the program's threads and its crash handler everywhere.
// kUnavailable with the system's reason when it cannot be started. `body` must not throw.
// Callers: src/runtime and src/compute/cpu/pool only (tools/check_structure.py).
Result<std::jthread> start_thread(const std::string& name, std::function<void()> body);

// Test seam: called before each start with the thread's name; returning false makes that start fail
// as if the system had refused. Empty: none. Set only while no thread is being started.
void set_thread_start_hook(std::function<bool(const std::string& name)> hook);

}  // namespace ocellus::base
