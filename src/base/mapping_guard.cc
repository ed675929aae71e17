#include "base/mapping_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <utility>

namespace ocellus::base {
namespace {

constexpr std::size_t kMaxRanges = 4096;

// A handler may use lock-free atomics and nothing else that others change.
struct Range {
  std::atomic<bool> taken = false;
  std::atomic<std::uintptr_t> begin = 0, end = 0;  // end 0: not guarded
  std::atomic<bool> lost = false;
};
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);

Range ranges[kMaxRanges];
std::uintptr_t page_size = 0;
struct sigaction earlier;

// Zeros from the page of `address` to the end of its mapping. False: not ours.
bool replace(std::uintptr_t address) noexcept {
  for (Range& range : ranges) {
    const std::uintptr_t end = range.end.load(std::memory_order_acquire);
    if (address >= end || address < range.begin.load(std::memory_order_relaxed)) continue;
    const std::uintptr_t page = address / page_size * page_size;
    if (::mmap(reinterpret_cast<void*>(page), end - page, PROT_READ,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED) {
      return false;
    }
    range.lost.store(true, std::memory_order_release);
    return true;
  }
  return false;
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int before = errno;
  const bool ours = replace(reinterpret_cast<std::uintptr_t>(info->si_addr));
  errno = before;
  if (ours) return;  // the read is made again
  if ((earlier.sa_flags & SA_SIGINFO) != 0) return earlier.sa_sigaction(signal, info, context);
  if (earlier.sa_handler != SIG_DFL && earlier.sa_handler != SIG_IGN)
    return earlier.sa_handler(signal);
  // The read is made again and ends the process, as it would have.
  ::signal(signal, SIG_DFL);
}

void install() noexcept {
  static std::once_flag once;
  std::call_once(once, [] {
    page_size = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, &earlier);
  });
}

}  // namespace

MappingGuard::MappingGuard(std::span<const std::byte> mapping) noexcept {
  install();
  for (std::size_t i = 0; i < kMaxRanges; ++i) {
    if (ranges[i].taken.exchange(true, std::memory_order_acq_rel)) continue;
    const auto begin = reinterpret_cast<std::uintptr_t>(mapping.data());
    ranges[i].lost.store(false, std::memory_order_relaxed);
    ranges[i].begin.store(begin, std::memory_order_relaxed);
    ranges[i].end.store(begin + mapping.size(), std::memory_order_release);
    slot_ = static_cast<int>(i);
    return;
  }
}

MappingGuard::MappingGuard(MappingGuard&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}

MappingGuard& MappingGuard::operator=(MappingGuard&& other) noexcept {
  std::swap(slot_, other.slot_);
  return *this;
}

MappingGuard::~MappingGuard() {
  if (slot_ < 0) return;
  ranges[slot_].end.store(0, std::memory_order_release);
  ranges[slot_].taken.store(false, std::memory_order_release);
}

bool MappingGuard::lost() const noexcept {
  return slot_ >= 0 && ranges[slot_].lost.load(std::memory_order_acquire);
}

}  // namespace ocellus::base
