// Linear layers alone: one weight of each type, with many rows and with one.
#pragma once

#include <cstdint>
#include <vector>

#include "benchmark/limits.h"
#include "benchmark/result.h"
#include "compute/backend.h"
#include "ocellus/error.h"

namespace ocellus::benchmark {

struct LinearOptions {
  std::int64_t out = 4096, in = 4096;  // of the weight; LLaVA-1.5-7B's attention by default
  std::int64_t tokens = 576;           // rows of the large product
  Effort effort;
};

// Results of work "linear", two for each type that has whole blocks in `in` values.
// kOutOfMemory, kUnsupported.
Result<std::vector<BenchResult>> run_linear(const compute::Backend& backend, PeaksAround& peaks,
                                            const LinearOptions& options, const OnStage& on_stage);

}  // namespace ocellus::benchmark
