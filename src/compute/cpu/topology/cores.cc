#include "compute/cpu/topology/cores.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "base/read_file.h"

namespace ocellus::compute::cpu {
namespace {

// Cores by cgroup v2's cpu.max ("quota period" or "max period"); 0 when there is no limit.
int cgroup_cores() {
  const auto text = base::read_file("/sys/fs/cgroup/cpu.max", 128);
  if (!text) return 0;
  double quota = 0, period = 0;
  const char* const end = text->data() + text->size();
  const auto [after, error] = std::from_chars(text->data(), end, quota);
  if (error != std::errc() || after == end) return 0;
  if (std::from_chars(after + 1, end, period).ec != std::errc() || period <= 0) return 0;
  return static_cast<int>(std::ceil(quota / period));
}

}  // namespace

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int allowed = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
  const int limit = cgroup_cores();
  return std::max(1, limit > 0 ? std::min(allowed, limit) : allowed);
}

}  // namespace ocellus::compute::cpu
