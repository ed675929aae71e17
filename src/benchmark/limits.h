// How fast the machine could do a piece of work: what the work asks for, over the machine's peaks.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "compute/cpu/peaks.h"
#include "compute/profiling_backend.h"

namespace ocellus::benchmark {

// The kind of multiply-add that a product is made of, and so the peak that bounds it.
enum class ArithmeticPeak : std::uint8_t { kF32, kBF16, kInt8 };

// With which arithmetic the backend multiplies weights that were made in this form, where the
// machine has it (compute/backend.h). The one place that says it.
ArithmeticPeak arithmetic_of(const compute::WeightFormat& format);

// What one run asks for, from its operations: linear layers by the arithmetic of their weights,
// attention by its own: bf16 where it is fast, f32 where it is exact.
struct Demand {
  std::array<double, 3> flops = {};             // by ArithmeticPeak; a multiply-add is two
  double bytes = 0;                             // weights and cached keys and values, as held
  tensor::DType weights = tensor::DType::kF32;  // the type of the most bytes of weights
};
Demand demand_of(std::span<const compute::OpProfile> operations);

// The shortest possible time, and what sets it: "f32", "bf16", "int8" or "read". Where the machine
// has no such arithmetic, f32 does its work. 0 seconds where nothing is asked for.
struct Limit {
  double seconds = 0;
  std::string_view name = "read";
};
Limit arithmetic_limit(const Demand& demand, const compute::cpu::Peaks& peaks);
Limit read_limit(const Demand& demand, const compute::cpu::Peaks& peaks);
Limit larger_limit(const Demand& demand, const compute::cpu::Peaks& peaks);

// The peaks around each result: measured before and after it, as machines drift. Bandwidth is the
// better of these two. Arithmetic, which repeats closely where nothing else runs, is the best since
// the beginning: other programs can only make it look smaller.
class PeaksAround {
 public:
  // `meter` must outlive it. `first`: measured just now. `seconds`: for each peak, each time.
  PeaksAround(compute::cpu::PeakMeter& meter, const compute::cpu::Peaks& first, double seconds)
      : meter_(meter), last_(first), best_(first), seconds_(seconds) {}

  // Measures again: the better of this and the last time, for what was run between. kOutOfMemory.
  Result<compute::cpu::Peaks> nearest();
  // The best of every figure so far: what the machine was seen to do.
  const compute::cpu::Peaks& best() const { return best_; }

 private:
  compute::cpu::PeakMeter& meter_;
  compute::cpu::Peaks last_, best_;
  double seconds_;
};

}  // namespace ocellus::benchmark
