#include "benchmark/limits.h"

#include <algorithm>
#include <map>

#include "base/result.h"

namespace ocellus::benchmark {
namespace {

struct Peak {
  double rate;  // 10^9 operations a second
  std::string_view name;
};

Peak peak_of(ArithmeticPeak arithmetic, const compute::cpu::Peaks& peaks) {
  if (arithmetic == ArithmeticPeak::kInt8 && peaks.int8.all > 0) return {peaks.int8.all, "int8"};
  if (arithmetic == ArithmeticPeak::kBF16 && peaks.bf16.all > 0) return {peaks.bf16.all, "bf16"};
  return {peaks.f32.all, "f32"};
}

std::size_t most(const std::array<double, 3>& flops) {
  return static_cast<std::size_t>(std::ranges::max_element(flops) - flops.begin());
}

}  // namespace

ArithmeticPeak arithmetic_of(const compute::WeightFormat& format) {
  if (tensor::is_quantized(format.dtype)) return ArithmeticPeak::kInt8;
  const bool fast = format.arithmetic == compute::Arithmetic::kReducedPrecision;
  return fast && format.dtype == tensor::DType::kBF16 ? ArithmeticPeak::kBF16
                                                      : ArithmeticPeak::kF32;
}

Demand demand_of(std::span<const compute::OpProfile> operations) {
  Demand demand;
  std::map<tensor::DType, double> bytes;
  for (const compute::OpProfile& op : operations) {
    demand.bytes += op.bytes;
    if (op.kind == compute::OpKind::kLinear) {
      demand.flops[static_cast<std::size_t>(arithmetic_of({op.dtype, op.arithmetic}))] += op.flops;
      bytes[op.dtype] += op.bytes;
    } else {
      const bool fast = op.arithmetic == compute::Arithmetic::kReducedPrecision;
      demand.flops[static_cast<std::size_t>(fast ? ArithmeticPeak::kBF16 : ArithmeticPeak::kF32)] +=
          op.flops;
    }
  }
  if (!bytes.empty()) {
    demand.weights =
        std::ranges::max_element(bytes, {}, [](const auto& e) { return e.second; })->first;
  }
  return demand;
}

Limit arithmetic_limit(const Demand& demand, const compute::cpu::Peaks& peaks) {
  Limit limit;
  for (std::size_t i = 0; i < demand.flops.size(); ++i) {
    if (demand.flops[i] > 0)
      limit.seconds += demand.flops[i] / peak_of(static_cast<ArithmeticPeak>(i), peaks).rate / 1e9;
  }
  limit.name = peak_of(static_cast<ArithmeticPeak>(most(demand.flops)), peaks).name;
  return limit;
}

Limit read_limit(const Demand& demand, const compute::cpu::Peaks& peaks) {
  return {demand.bytes / peaks.read.all / 1e9, "read"};
}

Limit larger_limit(const Demand& demand, const compute::cpu::Peaks& peaks) {
  const Limit arithmetic = arithmetic_limit(demand, peaks), read = read_limit(demand, peaks);
  return arithmetic.seconds >= read.seconds ? arithmetic : read;
}

Result<compute::cpu::Peaks> PeaksAround::nearest() {
  OCELLUS_ASSIGN_OR_RETURN(const compute::cpu::Peaks now, meter_.measure_again(seconds_));
  const compute::cpu::Peaks best = better_of(last_, now);
  last_ = best;
  last_.read = now.read;
  best_ = better_of(best_, now);
  return best;
}

}  // namespace ocellus::benchmark
