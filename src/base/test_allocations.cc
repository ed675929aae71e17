#include "base/test_allocations.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

// What is armed. Constants before main: operator new is called before constructors run.
std::atomic<bool> armed = false;
std::atomic<bool> thread_only = false;
std::atomic<bool> for_good = false;
std::atomic<bool> has_failed = false;
std::atomic<long> left = 0;
pthread_t armed_by;  // written before `armed`

bool must_fail() noexcept {
  if (!armed.load(std::memory_order_acquire)) return false;
  if (thread_only.load(std::memory_order_relaxed) && !pthread_equal(armed_by, pthread_self()))
    return false;
  const long before = left.fetch_sub(1, std::memory_order_relaxed);
  const bool fails = for_good.load(std::memory_order_relaxed) ? before <= 0 : before == 0;
  if (fails) has_failed.store(true, std::memory_order_relaxed);
  return fails;
}

void* take(std::size_t size) {
  if (must_fail()) throw std::bad_alloc();
  if (void* memory = std::malloc(std::max<std::size_t>(size, 1))) return memory;
  throw std::bad_alloc();
}

void* take_aligned(std::size_t size, std::align_val_t alignment) {
  if (must_fail()) throw std::bad_alloc();
  void* memory = nullptr;
  const auto align = std::max(static_cast<std::size_t>(alignment), sizeof(void*));
  if (posix_memalign(&memory, align, std::max<std::size_t>(size, 1)) == 0) return memory;
  throw std::bad_alloc();
}

}  // namespace

// The forms for arrays call these. Not inlined, so that the compiler does
// not see malloc's memory deleted, or new's memory freed.
[[gnu::noinline]] void* operator new(std::size_t size) { return take(size); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return take_aligned(size, alignment);
}
// Of its own: a sanitizer's would not call those above.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return must_fail() ? nullptr : std::malloc(std::max<std::size_t>(size, 1));
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}

namespace ocellus::base::testing {

FailingAllocations::FailingAllocations(AllocationFailure failure) {
  armed_by = pthread_self();
  thread_only.store(failure.scope == AllocationScope::kThread);
  for_good.store(failure.for_good);
  has_failed.store(false);
  left.store(failure.nth);
  armed.store(true, std::memory_order_release);
}

FailingAllocations::~FailingAllocations() { armed.store(false); }

bool FailingAllocations::failed() const { return has_failed.load(); }

long fail_each_allocation(AllocationFailure failure, long max, const std::function<void()>& work,
                          const std::function<void(bool failed)>& check) {
  for (long n = 0; n <= max; ++n) {
    failure.nth = n;
    bool failed = false;
    {
      const FailingAllocations failing(failure);
      work();
      failed = failing.failed();
    }
    check(failed);
    if (!failed) return n;
  }
  return -1;
}

}  // namespace ocellus::base::testing
