// What is measured, in the form in which it is reported.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "compute/cpu/peaks.h"
#include "compute/profiling_backend.h"

namespace ocellus::benchmark {

struct BenchResult {
  // "tower", "prefill", "decode", "batch", "first_token", "load", "linear", "repeat",
  // "interference"
  std::string work = {};
  std::string weights = {};  // the type's name
  std::int64_t tokens = 0, streams = 1;
  double value = 0;
  std::string unit = {};                            // "tokens/s", "s", "ms", "GFLOP/s", "GB/s"
  double limit = 0;                                 // the machine's, in the same unit
  std::string limit_of = {};                        // "f32", "bf16", "int8", "read"
  std::int64_t from_layers = 0;                     // not 0: scaled from a model of so many layers
  std::vector<compute::OpProfile> operations = {};  // of the best run, scaled likewise
  compute::cpu::Peaks peaks = {};                   // measured around it
  double run_seconds = 0;                           // of that run
  // "repeat": the value of the first question. "interference": where nothing is cut into slices.
  double before = 0;

  // Times are better when shorter, rates when higher.
  bool is_time() const { return unit == "s" || unit == "ms"; }
  double share() const {
    if (value <= 0 || limit <= 0) return 0;
    return is_time() ? limit / value : value / limit;
  }
  // What was reached can be reached: where a drifting machine beat the peaks measured around the
  // result, the result is the limit.
  void keep_limit() { limit = is_time() ? std::min(limit, value) : std::max(limit, value); }
};

// How long a figure may take: the best of at least `repeat` runs, and of as many as fit in
// `seconds`.
struct Effort {
  double seconds = 1.0;
  int repeat = 2;

  // Time for each peak when it is measured again around results.
  double peak_seconds() const { return std::min(seconds, 0.1); }
};

// Told what is being measured now.
using OnStage = std::function<void(std::string_view stage)>;

inline double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace ocellus::benchmark
