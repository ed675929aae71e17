// The CPU as a Backend.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "compute/backend.h"

namespace ocellus::compute::cpu {

enum class Isa : std::uint8_t { kAuto, kScalar, kAvx2, kAvx512 };

// "auto", "scalar", "avx2", "avx512"; nothing for another text.
std::optional<Isa> parse_isa(std::string_view name);

struct CpuOptions {
  int threads = 0;       // 0: as many as the process has cores to use
  Isa isa = Isa::kAuto;  // the best that the machine has
  // For measuring: weights are rounded to the type asked for, then held as f32, and all arithmetic
  // is exact, so that a model shows what the type's rounding costs and nothing else.
  bool expand_weights = false;
};

// One pool of threads in each backend: programs make one and share it between all models.
// kUnsupported when the machine lacks the instruction set asked for; kUnavailable when a thread
// cannot be started.
Result<std::shared_ptr<const Backend>> make_cpu_backend(const CpuOptions& options);

}  // namespace ocellus::compute::cpu
