// The time that one picture may take on the thread that decodes it; internal to src/image.
#pragma once

#include <ctime>

namespace ocellus::image {

// Thread CPU time rather than the clock on the wall: a busy machine does not make pictures bad.
class CpuBudget {
 public:
  explicit CpuBudget(double seconds) : end_(now() + seconds) {}
  bool spent() const { return now() > end_; }

 private:
  static double now() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
  double end_;
};

}  // namespace ocellus::image
