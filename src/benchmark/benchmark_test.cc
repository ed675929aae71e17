#include <gtest/gtest.h>

#include "benchmark/limits.h"
#include "benchmark/linear.h"
#include "benchmark/model.h"
#include "benchmark/scale.h"

namespace ocellus::benchmark {
namespace {

using compute::OpKind;
using compute::OpProfile;
using compute::cpu::Peaks;
using tensor::DType;

const Peaks kPeaks{.f32 = {50, 100},
                   .bf16 = {100, 200},
                   .int8 = {200, 400},
                   .read = {5, 10},
                   .read_small_pages = {4, 8}};

OpProfile linear(DType dtype, double flops, double bytes) {
  return {.kind = OpKind::kLinear,
          .dtype = dtype,
          .out = 8,
          .in = 8,
          .calls = 2,
          .rows = 4,
          .seconds = 1,
          .flops = flops,
          .bytes = bytes};
}

TEST(Demand, SumsFlopsAndBytesAndCountsAttentionWithItsOwnArithmetic) {
  const OpProfile operations[] = {linear(DType::kQ4_0, 100e9, 3e9),
                                  linear(DType::kF16, 10e9, 1e9),
                                  {.kind = OpKind::kCausalAttention, .flops = 40e9, .bytes = 2e9},
                                  {.kind = OpKind::kAttention,
                                   .arithmetic = compute::Arithmetic::kReducedPrecision,
                                   .flops = 5e9},
                                  {.kind = OpKind::kRmsNorm, .seconds = 1}};
  const Demand demand = demand_of(operations);
  EXPECT_EQ(demand.bytes, 6e9);
  EXPECT_EQ(demand.weights, DType::kQ4_0);
  EXPECT_EQ(demand.flops[static_cast<std::size_t>(ArithmeticPeak::kInt8)], 100e9);
  EXPECT_EQ(demand.flops[static_cast<std::size_t>(ArithmeticPeak::kBF16)], 5e9);
  EXPECT_EQ(demand.flops[static_cast<std::size_t>(ArithmeticPeak::kF32)], 50e9);
}

TEST(Demand, CountsBF16ByWhatItWasMadeFor) {
  using compute::Arithmetic;
  EXPECT_EQ(arithmetic_of(DType::kBF16), ArithmeticPeak::kF32);
  EXPECT_EQ(arithmetic_of({DType::kBF16, Arithmetic::kReducedPrecision}), ArithmeticPeak::kBF16);
  EXPECT_EQ(arithmetic_of({DType::kF16, Arithmetic::kReducedPrecision}), ArithmeticPeak::kF32);
  EXPECT_EQ(arithmetic_of(DType::kQ4), ArithmeticPeak::kInt8);
}

TEST(Limits, AreTheDemandOverThePeaks) {
  Demand demand;
  demand.flops = {50e9, 100e9, 800e9};
  demand.bytes = 20e9;
  EXPECT_DOUBLE_EQ(arithmetic_limit(demand, kPeaks).seconds, 0.5 + 0.5 + 2);
  EXPECT_EQ(arithmetic_limit(demand, kPeaks).name, "int8");
  EXPECT_DOUBLE_EQ(read_limit(demand, kPeaks).seconds, 2);
  EXPECT_EQ(larger_limit(demand, kPeaks).name, "int8");
  demand.bytes = 40e9;
  EXPECT_EQ(larger_limit(demand, kPeaks).name, "read");
  // Without such instructions f32 does the work.
  const Peaks old{
      .f32 = {50, 100}, .bf16 = {}, .int8 = {}, .read = {5, 10}, .read_small_pages = {}};
  EXPECT_DOUBLE_EQ(arithmetic_limit(demand, old).seconds, 9.5);
  EXPECT_EQ(arithmetic_limit(demand, old).name, "f32");
}

TEST(BenchResult, IsNeverBetterThanItsLimit) {
  BenchResult rate{.work = "decode", .value = 12, .unit = "tokens/s", .limit = 10};
  rate.keep_limit();
  EXPECT_EQ(rate.share(), 1);
  BenchResult time{.work = "tower", .value = 4, .unit = "s", .limit = 1};
  time.keep_limit();
  EXPECT_EQ(time.share(), 0.25);
}

TEST(Scale, MultipliesLayersAndKeepsWhatComesOnce) {
  const Scale scale{.layers = 2, .full_layers = 8, .vocabulary = 100, .hidden = 8};
  std::vector<OpProfile> operations = {linear(DType::kF32, 10, 20),
                                       linear(DType::kF32, 5, 5),
                                       {.kind = OpKind::kEmbed, .out = 8, .seconds = 0.5}};
  operations[1].out = 100;
  double seconds = 3;  // half a second between the operations
  scale.apply(seconds, operations);
  EXPECT_DOUBLE_EQ(seconds, 1.5 + 4 * 1.5);
  EXPECT_EQ(operations[0].calls, 8);
  EXPECT_EQ(operations[0].flops, 40);
  EXPECT_EQ(operations[0].bytes, 80);
  EXPECT_EQ(operations[1].calls, 2);
  EXPECT_EQ(operations[1].flops, 5);
  EXPECT_EQ(operations[2].seconds, 0.5);
}

class ModelBenchTest : public testing::Test {
 protected:
  Result<ModelReport> run(const ModelSource& source, ModelBenchOptions options) {
    options.effort = {.seconds = 0, .repeat = 1};
    return run_model(*backend, peaks, source, options);
  }
  std::shared_ptr<const compute::Backend> backend = *compute::cpu::make_cpu_backend({.threads = 2});
  std::unique_ptr<compute::cpu::PeakMeter> meter =
      *compute::cpu::PeakMeter::create({.threads = 2}, std::size_t{4} << 20);
  PeaksAround peaks{*meter, *meter->measure(0), 0};
  const std::filesystem::path demo =
      std::filesystem::path(std::getenv("OCELLUS_SOURCE_DIR")) / "models" / "demo";
};

TEST_F(ModelBenchTest, MeasuresEveryWorkOfAModel) {
  ModelBenchOptions options;
  options.work = model_works();
  options.tokens = {8, 70};
  options.context = 65;
  options.streams = 3;
  const auto report = run({.path = demo}, options);
  ASSERT_TRUE(report) << report.error().message;
  std::vector<std::string> works;
  for (const BenchResult& result : report->results) {
    works.push_back(result.work);
    EXPECT_GT(result.value, 0) << result.work;
    EXPECT_GT(result.share(), 0) << result.work;
    EXPECT_LE(result.share(), 1) << result.work;
    EXPECT_FALSE(result.weights.empty()) << result.work;
    EXPECT_FALSE(result.limit_of.empty()) << result.work;
    double sum = 0;
    for (const OpProfile& op : result.operations) sum += op.seconds;
    EXPECT_LE(sum, result.run_seconds) << result.work;
    EXPECT_EQ(sum > 0, result.work != "load") << result.work;
  }
  EXPECT_EQ(works, (std::vector<std::string>{"load", "tower", "prefill", "prefill", "decode",
                                             "batch", "first_token"}));
  EXPECT_EQ(report->results[3].tokens, 70);
  EXPECT_EQ(report->results[5].streams, 3);
  EXPECT_GT(report->weight_bytes, 0u);
  EXPECT_EQ(report->from_layers, 0);
}

TEST_F(ModelBenchTest, HoldsWeightsAsAskedAndReadsThemOnceAStep) {
  ModelBenchOptions options;
  options.work = {"decode"};
  const auto f32 = run({.path = demo, .weights = DType::kF32}, options);
  const auto bf16 = run({.path = demo, .weights = DType::kBF16}, options);
  ASSERT_TRUE(f32 && bf16);
  EXPECT_EQ(f32->results[0].weights, "f32");
  EXPECT_EQ(bf16->results[0].weights, "bf16");
  const auto weights = [](const ModelReport& report) {
    double bytes = 0;
    for (const OpProfile& op : report.results[0].operations)
      bytes += op.kind == OpKind::kLinear ? op.bytes : 0;
    return bytes;
  };
  EXPECT_DOUBLE_EQ(weights(*f32), 2 * weights(*bf16));
}

TEST_F(ModelBenchTest, ScalesARandomModelOfFewLayersAndNamesItsLayersType) {
  ModelBenchOptions options;
  options.work = {"load", "decode"};
  options.context = 1;
  const auto report =
      run({.random = "tinyllama-1.1b", .weights = DType::kQ4_0, .layers = 1}, options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->layers, 22);
  EXPECT_EQ(report->from_layers, 1);
  std::int64_t layer_products = 0, last_products = 0;
  for (const BenchResult& result : report->results) {
    EXPECT_EQ(result.weights, "q4_0");
    EXPECT_EQ(result.from_layers, 1);
    for (const OpProfile& op : result.operations) {
      if (op.kind == OpKind::kLinear)
        (op.out == 32000 ? last_products : layer_products) += op.calls;
    }
  }
  // Queries, keys and values are one call, and so are gate and up.
  EXPECT_EQ(layer_products, 22 * 4);
  EXPECT_EQ(last_products, 1);
}

TEST_F(ModelBenchTest, NamesWhatCannotBeMeant) {
  ModelBenchOptions options;
  options.work = {"decode"};
  const auto expect_invalid = [&](const ModelSource& source, const ModelBenchOptions& wanted,
                                  std::string_view says) {
    const auto report = run(source, wanted);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(report.error().message.find(says), std::string::npos) << report.error().message;
  };
  expect_invalid({.random = "llava-9b"}, options, "llava-1.5-7b");
  expect_invalid({.random = "tinyllama-1.1b", .layers = 23}, options, "22");
  expect_invalid({.path = demo, .layers = 1}, options, "random");
  ModelBenchOptions wrong = options;
  wrong.work = {"dreams"};
  expect_invalid({.path = demo}, wrong, "first_token");
  wrong = options;
  wrong.streams = 0;
  expect_invalid({.path = demo}, wrong, "streams");
  wrong = options;
  wrong.tokens = {0};
  expect_invalid({.path = demo}, wrong, "tokens");
  ModelBenchOptions integers = options;
  integers.kv = DType::kI32;
  const auto report = run({.path = demo}, integers);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnsupported);
}

TEST_F(ModelBenchTest, LinearHasTwoResultsForEachTypeOfWholeBlocks) {
  const LinearOptions options{
      .out = 40, .in = 96, .tokens = 5, .effort = {.seconds = 0, .repeat = 1}};
  const auto results = run_linear(*backend, peaks, options, {});
  ASSERT_TRUE(results) << results.error().message;
  ASSERT_EQ(results->size(), 2u * 8);  // blocks of 128 and 256 do not divide 96
  for (const BenchResult& result : *results) {
    EXPECT_EQ(result.work, "linear");
    EXPECT_GT(result.share(), 0);
    EXPECT_LE(result.share(), 1);
  }
  EXPECT_EQ((*results)[0].tokens, 5);
  EXPECT_EQ((*results)[1].limit_of, "read");
}

}  // namespace
}  // namespace ocellus::benchmark
