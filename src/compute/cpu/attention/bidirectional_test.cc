// Ranges of slots whose rows see each other both ways: against double, and bit for bit between
// instruction sets, threads and steps.
#include <gtest/gtest.h>

#include "compute/cpu/testing/attention.h"
#include "compute/cpu/testing/backends.h"

namespace ocellus::compute::cpu {
namespace {

using testing::all_backends;
using testing::backend_of;
using testing::Blocks;
using testing::expect_attended;
using testing::has_bf16_attention;
using testing::Rows;
using testing::same;
using testing::Stored;

struct Case {
  std::int64_t window;
  DType dtype;
  Arithmetic arithmetic;
  std::int64_t length;
  std::vector<SlotRange> ranges;
};

// The first slot and the last, a block's edges, neighbours, a range longer than a block and, in the
// long one, one that crosses the ranges of kRangeBlocks blocks.
const std::vector<SlotRange> kShort = {{0, 5}, {20, 21}, {60, 70}, {70, 75}, {80, 145}, {148, 150}};
const std::vector<SlotRange> kLong = {{3, 260}, {900, 1156}, {1156, 1180}};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::int64_t window : {0, 9, 100}) {
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kQ8_0}) {
      for (const Arithmetic arithmetic : {Arithmetic::kF32, Arithmetic::kReducedPrecision})
        all.push_back({window, dtype, arithmetic, 150, kShort});
    }
  }
  for (const std::int64_t window : {0, 200})
    all.push_back({window, DType::kF16, Arithmetic::kReducedPrecision, 1200, kLong});
  return all;
}

class Bidirectional : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr std::int64_t kHeads = 4, kKvHeads = 2, kHeadDim = 20;
  Case c_ = GetParam();
  AttentionShape shape_{kHeads, kKvHeads, kHeadDim, 0.3f, c_.window, c_.arithmetic};
  KvGeometry geometry_{1, kKvHeads, kHeadDim, kKvBlockTokens, c_.dtype};
  Rows q_{c_.length, kHeads*kHeadDim, 1}, k_{c_.length, kKvHeads*kHeadDim, 2},
      v_{c_.length, kKvHeads*kHeadDim, 3};

  bool bf16() const {
    return c_.arithmetic == Arithmetic::kReducedPrecision && has_bf16_attention();
  }

  // All slots in steps that end at `ends`.
  Rows run(const Backend& backend, std::span<const std::int64_t> ends,
           std::span<const SlotRange> ranges) const {
    const auto workspace = backend.make_workspace();
    Blocks memory(backend, geometry_);
    const auto blocks = memory.take(c_.length);
    Rows out(c_.length, kHeads * kHeadDim, 4);
    std::int64_t first = 0;
    for (const std::int64_t end : ends) {
      const std::int64_t rows = end - first;
      // Ranges of later steps are not known yet; those of earlier ones may be named again.
      std::vector<SlotRange> known;
      for (const SlotRange range : ranges)
        if (range.end <= end) known.push_back(range);
      const SequenceRows sequence{
          .rows = rows, .first_slot = first, .blocks = blocks, .bidirectional = known};
      EXPECT_TRUE(backend.kv_store({geometry_, 0}, {&sequence, 1},
                                   k_.view().slice_rows(first, rows),
                                   v_.view().slice_rows(first, rows)));
      EXPECT_TRUE(backend.causal_attention(shape_, {geometry_, 0}, {&sequence, 1},
                                           q_.view().slice_rows(first, rows),
                                           out.matrix().slice_rows(first, rows), *workspace));
      first = end;
    }
    return out;
  }
  Rows whole(const Backend& backend, std::span<const SlotRange> ranges) const {
    return run(backend, {&c_.length, 1}, ranges);
  }
};

TEST_P(Bidirectional, EqualsArithmeticInDouble) {
  const Rows out = whole(*backend_of(bf16() ? Isa::kAuto : Isa::kScalar, 1), c_.ranges);
  const Stored keys(k_, kHeadDim, c_.dtype), values(v_, kHeadDim, c_.dtype);
  for (std::int64_t s = 0; s<c_.length; s += c_.length> 500 ? 37 : 1) {
    std::int64_t from = c_.window > 0 ? std::max<std::int64_t>(0, s + 1 - c_.window) : 0,
                 to = s + 1;
    for (const SlotRange range : c_.ranges) {
      if (range.begin <= s && s < range.end) {
        from = std::min(from, range.begin);
        to = range.end;
      }
    }
    expect_attended(shape_, q_, s, keys, values, from, to, bf16(), out);
  }
  ASSERT_TRUE(out.gaps_unchanged());
}

// Steps may end anywhere but inside a range.
TEST_P(Bidirectional, BitsDependNeitherOnStepsNorThreadsNorInstructions) {
  const Rows scalar = whole(*backend_of(Isa::kScalar, 1), c_.ranges),
             best = whole(*backend_of(Isa::kAuto, 1), c_.ranges);
  std::vector<std::int64_t> ends;
  for (const SlotRange range : c_.ranges) {
    if (range.begin > 0 && (ends.empty() || range.begin > ends.back())) ends.push_back(range.begin);
    ends.push_back(range.end);
  }
  if (ends.back() < c_.length) ends.push_back(c_.length);
  for (const auto& [name, backend] : all_backends()) {
    if (c_.length > 500 && name.starts_with("scalar")) continue;
    SCOPED_TRACE(name);
    const Rows& expected = bf16() && name.starts_with("avx512") ? best : scalar;
    ASSERT_TRUE(same(whole(*backend, c_.ranges).data, expected.data));
    ASSERT_TRUE(same(run(*backend, ends, c_.ranges).data, expected.data));
  }
}

// A range of one slot is what causality gives anyway.
TEST_P(Bidirectional, RangesOfOneSlotChangeNothing) {
  const auto backend = backend_of(Isa::kAuto, 2);
  std::vector<SlotRange> single;
  for (std::int64_t s = 0; s < c_.length; s += 3) single.push_back({s, s + 1});
  ASSERT_TRUE(same(whole(*backend, single).data, whole(*backend, {}).data));
}

INSTANTIATE_TEST_SUITE_P(All, Bidirectional, ::testing::ValuesIn(cases()));

TEST(SeenSlots, AreTheUnionOfCausalityWindowAndRange) {
  const SlotRange ranges[] = {{10, 14}, {14, 20}};
  const SequenceRows rows{.rows = 30, .first_slot = 2, .bidirectional = ranges};
  const AttentionShape all{.window = 0}, window{.window = 3};
  const auto at = [&](const AttentionShape& shape, std::int64_t slot) {
    return seen_slots(shape, rows, slot - 2);
  };
  EXPECT_EQ(at(all, 9), (SlotRange{0, 10}));
  EXPECT_EQ(at(all, 10), (SlotRange{0, 14}));
  EXPECT_EQ(at(all, 13), (SlotRange{0, 14}));
  EXPECT_EQ(at(all, 14), (SlotRange{0, 20}));
  EXPECT_EQ(at(all, 20), (SlotRange{0, 21}));
  EXPECT_EQ(at(window, 9), (SlotRange{7, 10}));
  EXPECT_EQ(at(window, 10), (SlotRange{8, 14}));  // the window reaches before the range
  EXPECT_EQ(at(window, 13), (SlotRange{10, 14}));
  EXPECT_EQ(at(window, 14), (SlotRange{12, 20}));
  EXPECT_EQ(at(window, 20), (SlotRange{18, 21}));
}

}  // namespace
}  // namespace ocellus::compute::cpu
