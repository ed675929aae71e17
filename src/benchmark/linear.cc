#include "benchmark/linear.h"

#include <fmt/format.h>

#include <memory>

#include "base/result.h"
#include "tensor/weight_types.h"

namespace ocellus::benchmark {
namespace {

using tensor::DType;

// Several weights take turns, so that a decode step finds none of them in the caches, as in a
// model.
constexpr int kCopies = 6;

Result<std::vector<std::unique_ptr<compute::Weight>>> make_weights(const compute::Backend& backend,
                                                                   DType dtype,
                                                                   const LinearOptions& options) {
  const auto values = static_cast<std::size_t>(options.out * options.in);
  std::vector<std::byte> blocks;
  std::vector<float> floats;
  if (tensor::is_quantized(dtype)) {
    // Any bytes are blocks, and these are ordinary numbers.
    blocks.assign(values / tensor::block_values(dtype) * tensor::block_bytes(dtype),
                  std::byte{0x2C});
  } else {
    floats.resize(values);
    for (std::size_t i = 0; i < values; ++i)
      floats[i] = static_cast<float>(i % 251) * 0.01f - 1.25f;
  }
  const tensor::Shape shape{options.out, options.in};
  const tensor::TensorView source =
      blocks.empty() ? tensor::TensorView{DType::kF32, shape, std::as_bytes(std::span(floats))}
                     : tensor::TensorView{dtype, shape, blocks};
  std::vector<std::unique_ptr<compute::Weight>> copies;
  for (int i = 0; i < kCopies; ++i) {
    OCELLUS_ASSIGN_OR_RETURN(
        auto weight, backend.make_weight(source, {dtype, compute::Arithmetic::kReducedPrecision}));
    copies.push_back(std::move(weight));
  }
  return copies;
}

}  // namespace

Result<std::vector<BenchResult>> run_linear(const compute::Backend& backend, PeaksAround& peaks,
                                            const LinearOptions& options, const OnStage& on_stage) {
  const std::unique_ptr<compute::Workspace> workspace = backend.make_workspace();
  std::vector<float> x(static_cast<std::size_t>(options.tokens * options.in), 0.5f),
      y(static_cast<std::size_t>(options.tokens * options.out));
  std::vector<BenchResult> results;
  for (const tensor::WeightTypeInfo& type : tensor::kWeightTypes) {
    const DType dtype = type.dtype;
    if (!tensor::whole_blocks(dtype, options.in)) continue;
    const std::string name(tensor::dtype_name(dtype));
    if (on_stage) on_stage("linear " + name);
    OCELLUS_ASSIGN_OR_RETURN(const auto weights, make_weights(backend, dtype, options));
    std::vector<BenchResult> pair;
    std::vector<Demand> demands;
    for (const std::int64_t rows : {options.tokens, std::int64_t{1}}) {
      double best = 1e30, spent = 0;
      for (int run = 0; run < std::max(options.effort.repeat, 1) || spent < options.effort.seconds;
           ++run) {
        const auto begin = std::chrono::steady_clock::now();
        for (const auto& weight : weights) {
          OCELLUS_RETURN_IF_ERROR(backend.linear(*weight, {x.data(), rows, options.in, options.in},
                                                 {}, {y.data(), rows, options.out, options.out},
                                                 *workspace, rows > 1 ? 0 : 1));
        }
        const double seconds = seconds_since(begin);
        best = std::min(best, seconds / kCopies);
        spent += seconds;
      }
      Demand demand;
      demand.bytes = static_cast<double>(weights[0]->bytes());
      demand.flops[static_cast<std::size_t>(
          arithmetic_of({dtype, compute::Arithmetic::kReducedPrecision}))] =
          2.0 * static_cast<double>(rows * options.out * options.in);
      demands.push_back(demand);
      BenchResult result{.work = "linear", .weights = name, .tokens = rows};
      result.unit = rows > 1 ? "GFLOP/s" : "GB/s";
      result.run_seconds = best;
      pair.push_back(std::move(result));
    }
    OCELLUS_ASSIGN_OR_RETURN(const compute::cpu::Peaks nearest, peaks.nearest());
    for (std::size_t i = 0; i < pair.size(); ++i) {
      const bool many = pair[i].tokens > 1;
      const Limit limit =
          many ? arithmetic_limit(demands[i], nearest) : read_limit(demands[i], nearest);
      double amount = demands[i].bytes;
      if (many) amount = 2.0 * static_cast<double>(pair[i].tokens * options.out * options.in);
      pair[i].value = amount / pair[i].run_seconds / 1e9;
      pair[i].limit = amount / limit.seconds / 1e9;
      pair[i].limit_of = limit.name;
      pair[i].peaks = nearest;
      pair[i].keep_limit();
      results.push_back(std::move(pair[i]));
    }
  }
  return results;
}

}  // namespace ocellus::benchmark
