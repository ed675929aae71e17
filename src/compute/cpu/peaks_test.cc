#include "compute/cpu/peaks.h"

#include <gtest/gtest.h>

#include "compute/cpu/topology/peak_loops.h"

namespace ocellus::compute::cpu {
namespace {

constexpr std::size_t kSmall = std::size_t{4} << 20;

TEST(Peaks, AreMeasuredWithEveryInstructionSet) {
  for (const Isa isa : {Isa::kAuto, Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    const auto meter = PeakMeter::create({.threads = 2, .isa = isa}, kSmall);
    if (!meter && meter.error().code == ErrorCode::kUnsupported) continue;
    ASSERT_TRUE(meter) << meter.error().message;
    const auto peaks = (*meter)->measure(0.0);
    ASSERT_TRUE(peaks) << peaks.error().message;
    for (const Rate& rate : {peaks->f32, peaks->read, peaks->read_small_pages}) {
      EXPECT_GT(rate.one, 0);
      EXPECT_GT(rate.all, 0);
    }
    // No such instructions there: nothing is made up.
    if (isa == Isa::kScalar || isa == Isa::kAvx2) {
      EXPECT_EQ(peaks->bf16.all, 0);
    }
    EXPECT_EQ(peaks->int8.all > 0, isa != Isa::kScalar && peaks->int8.one > 0);
    EXPECT_EQ((*meter)->bytes(), kSmall);
  }
}

TEST(Peaks, MeasuringAgainGivesTheFiguresOfAllThreads) {
  const auto meter = PeakMeter::create({.threads = 1}, kSmall);
  ASSERT_TRUE(meter) << meter.error().message;
  const auto peaks = (*meter)->measure_again(0.0);
  ASSERT_TRUE(peaks) << peaks.error().message;
  EXPECT_GT(peaks->f32.all, 0);
  EXPECT_GT(peaks->read.all, 0);
  EXPECT_EQ(peaks->f32.one, 0);
}

TEST(Peaks, BetterIsTakenFigureByFigure) {
  const Peaks a{.f32 = {1, 20}, .bf16 = {}, .int8 = {5, 5}, .read = {3, 4}, .read_small_pages = {}};
  const Peaks b{.f32 = {2, 10}, .bf16 = {1, 1}, .int8 = {}, .read = {4, 3}, .read_small_pages = {}};
  const Peaks best = better_of(a, b);
  EXPECT_EQ(best.f32.one, 2);
  EXPECT_EQ(best.f32.all, 20);
  EXPECT_EQ(best.bf16.all, 1);
  EXPECT_EQ(best.int8.one, 5);
  EXPECT_EQ(best.read.one, 4);
  EXPECT_EQ(best.read.all, 4);
}

TEST(Peaks, RefuseThreadsThatABackendRefuses) {
  const auto meter = PeakMeter::create({.threads = -1}, kSmall);
  ASSERT_FALSE(meter);
  EXPECT_EQ(meter.error().code, ErrorCode::kInvalidArgument);
}

TEST(PeakLoops, ReadEveryByte) {
  alignas(64) static std::byte memory[4096];
  const auto reads_all = [&](const PeakLoops& loops) {
    for (auto& byte : memory) byte = std::byte{0};
    const std::uint64_t before = loops.read(memory, sizeof(memory));
    std::size_t seen = 0;
    for (auto& byte : memory) {
      byte = std::byte{1};
      seen += loops.read(memory, sizeof(memory)) != before ? 1 : 0;
      byte = std::byte{0};
    }
    return seen == sizeof(memory);
  };
  EXPECT_TRUE(reads_all(portable_peak_loops()));
  if (__builtin_cpu_supports("avx2")) {
    EXPECT_TRUE(reads_all(avx2_peak_loops()));
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
    EXPECT_TRUE(reads_all(avx512_peak_loops()));
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
