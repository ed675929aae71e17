// What the machine can do, and how much of that the kernels use. Every figure stands beside the
// limit measured in the same run.
#pragma once

#include <string>
#include <vector>

#include "compute/cpu/cpu_backend.h"
#include "ocellus/error.h"

namespace ocellus::compute::cpu {

struct BenchResult {
  std::string work;     // "prefill" (a product with many rows) or "decode" (with one)
  std::string weights;  // the type's name
  std::int64_t tokens = 0;
  double value = 0;
  std::string unit;  // "GFLOP/s" or "GB/s"
  double limit = 0;  // the machine's, in the same unit
  double share() const { return limit > 0 ? value / limit : 0; }
};

struct BenchReport {
  std::string machine;                // "avx512, 2 threads"
  double fma_one = 0, fma_all = 0;    // f32 multiply-adds, GFLOP/s: one thread, all threads
  double read_one = 0, read_all = 0;  // reading memory far larger than the caches, GB/s
  std::vector<BenchResult> results;
};

struct BenchOptions {
  CpuOptions cpu;
  std::int64_t out = 4096, in = 4096;  // of the weight; LLaVA-1.5-7B's attention by default
  std::int64_t tokens = 576;           // rows of the large product
  double seconds = 1.0;                // for each figure; the best of several runs counts
};

// kOutOfMemory, kUnavailable, kUnsupported.
Result<BenchReport> run_bench(const BenchOptions& options);

}  // namespace ocellus::compute::cpu
