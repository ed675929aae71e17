// Memory that runs out where a test says so. Programs that link ocellus_test_allocations have the
// operators new and delete of test_allocations.cc, which fail only while a FailingAllocations
// lives. What C libraries take from malloc, and AlignedBuffer, is not counted.
#pragma once

#include <cstddef>
#include <functional>

namespace ocellus::base::testing {

enum class AllocationScope {
  kThread,   // allocations of the thread that makes the FailingAllocations
  kProcess,  // of all threads: which one comes as the n-th may differ from run to run
};

struct AllocationFailure {
  long nth = 0;           // counted from 0
  bool for_good = false;  // and all that come after it
  AllocationScope scope = AllocationScope::kThread;
};

// One at a time in a process.
class FailingAllocations {
 public:
  explicit FailingAllocations(AllocationFailure failure);
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;
  ~FailingAllocations();

  // Whether an allocation has failed yet.
  bool failed() const;
};

// Calls `work` with the n-th allocation failing, for n from 0 until none fails, and `check` after
// each call, when nothing fails any more, with whether one has failed. Gives the number of
// allocations, or -1 when there are more than `max`.
long fail_each_allocation(AllocationFailure failure, long max, const std::function<void()>& work,
                          const std::function<void(bool failed)>& check);

}  // namespace ocellus::base::testing
