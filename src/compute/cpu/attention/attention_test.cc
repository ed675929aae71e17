// Attention and the KV cache through the backend: against double, and bit for bit against itself
// however the rows are cut.
#include "compute/cpu/attention/attention.h"

#include <gtest/gtest.h>

#include <cmath>

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
using testing::wide;

TEST(Attention, EveryRowSeesEveryRow) {
  for (const Arithmetic arithmetic : {Arithmetic::kF32, Arithmetic::kReducedPrecision}) {
    for (const std::int64_t rows : {1, 2, 15, 17, 63, 64, 65, 130, 577}) {
      for (const std::int64_t kv_heads : {4, 2, 1}) {
        const AttentionShape shape{4, kv_heads, 20, 0.22f, 0, arithmetic};
        const Rows q(rows, 80, 1), k(rows, kv_heads * 20, 2), v(rows, kv_heads * 20, 3);
        std::vector<float> expected, fast;
        for (const auto& [name, backend] : all_backends()) {
          SCOPED_TRACE(name);
          // Slow, and nothing new: fast is exact on the other instruction sets.
          if (rows > 200 && (kv_heads != 2 || (name.starts_with("scalar") && name != "scalar, 1")))
            continue;
          if (rows > 100 && arithmetic == Arithmetic::kReducedPrecision &&
              !name.starts_with("avx512"))
            continue;
          const auto workspace = backend->make_workspace();
          Rows out(rows, 80, 4);
          ASSERT_TRUE(
              backend->attention(shape, q.view(), k.view(), v.view(), out.matrix(), *workspace));
          ASSERT_TRUE(out.gaps_unchanged());
          const bool is_fast = arithmetic == Arithmetic::kReducedPrecision &&
                               has_bf16_attention() && name.starts_with("avx512");
          std::vector<float>& known = is_fast ? fast : expected;
          if (known.empty()) {
            known = out.data;
            const Stored keys(k, 20, DType::kF32), values(v, 20, DType::kF32);
            for (std::int64_t r = 0; r<rows; r += rows> 200 ? 37 : 1)
              expect_attended(shape, q, r, keys, values, 0, rows, is_fast, out);
          }
          ASSERT_TRUE(same(out.data, known));
        }
      }
    }
  }
}

// Every number of rows around the tiles' sizes, widths around the vectors', groups of 1 to 8.
TEST(Attention, AnyShapeEqualsArithmeticInDouble) {
  constexpr std::int64_t kGroups[] = {1, 2, 4, 8};
  const auto scalar = backend_of(Isa::kScalar, 1), best = backend_of(Isa::kAuto, 2);
  const auto scalar_space = scalar->make_workspace(), best_space = best->make_workspace();
  for (std::int64_t rows = 1; rows <= 70; ++rows) {
    const std::int64_t head_dim = rows % 5 == 0 ? 8 * (rows % 17 + 1) : rows * 31 % 129 + 8;
    const std::int64_t group = kGroups[rows % 4], heads = group * (rows % 2 + 1);
    SCOPED_TRACE(::testing::Message() << rows << " rows, " << heads << " heads of " << head_dim);
    const Rows q(rows, heads * head_dim, 1), k(rows, heads / group * head_dim, 2),
        v(rows, k.cols, 3);
    AttentionShape shape{heads, heads / group, head_dim, 0.1f};
    Rows expected(rows, q.cols, 4), exact(rows, q.cols, 4), fast(rows, q.cols, 4);
    ASSERT_TRUE(
        scalar->attention(shape, q.view(), k.view(), v.view(), expected.matrix(), *scalar_space));
    ASSERT_TRUE(best->attention(shape, q.view(), k.view(), v.view(), exact.matrix(), *best_space));
    ASSERT_TRUE(same(exact.data, expected.data));
    shape.arithmetic = Arithmetic::kReducedPrecision;
    ASSERT_TRUE(best->attention(shape, q.view(), k.view(), v.view(), fast.matrix(), *best_space));
    const Stored keys(k, head_dim, DType::kF32), values(v, head_dim, DType::kF32);
    for (std::int64_t r = 0; r < rows; r += 7) {
      expect_attended(shape, q, r, keys, values, 0, rows, false, exact);
      expect_attended(shape, q, r, keys, values, 0, rows, has_bf16_attention(), fast);
    }
  }
}

struct CausalCase {
  std::int64_t heads, kv_heads, head_dim, window;
  DType dtype;
  Arithmetic arithmetic;
  std::int64_t length = 150;
};

class Causal : public ::testing::TestWithParam<CausalCase> {
 protected:
  static constexpr std::int64_t kLayers = 2, kLayer = 1;
  CausalCase c_ = GetParam();
  std::int64_t length_ = c_.length;
  AttentionShape shape_{c_.heads, c_.kv_heads, c_.head_dim, 0.3f, c_.window, c_.arithmetic};
  KvGeometry geometry_{kLayers, c_.kv_heads, c_.head_dim, kKvBlockTokens, c_.dtype};
  Rows q_{length_, c_.heads*c_.head_dim, 1}, k_{length_, c_.kv_heads*c_.head_dim, 2},
      v_{length_, c_.kv_heads*c_.head_dim, 3};

  bool fast() const {
    return c_.arithmetic == Arithmetic::kReducedPrecision && has_bf16_attention();
  }
  bool is_long() const { return length_ > 500; }

  // Stores and attends positions [first, first + rows) as one step of one sequence.
  void step(const Backend& backend, Workspace& workspace, std::span<std::byte* const> blocks,
            std::int64_t first, std::int64_t rows, Matrix out, bool generated = false) {
    const SequenceRows run{0, rows, first, blocks, generated};
    ASSERT_TRUE(backend.kv_store({geometry_, kLayer}, {&run, 1}, k_.view().slice_rows(first, rows),
                                 v_.view().slice_rows(first, rows)));
    ASSERT_TRUE(backend.causal_attention(shape_, {geometry_, kLayer}, {&run, 1},
                                         q_.view().slice_rows(first, rows), out, workspace));
  }

  // All positions in one step of one thread.
  Rows whole(Isa isa, bool generated = false) {
    const auto backend = backend_of(isa, 1);
    const auto workspace = backend->make_workspace();
    Blocks memory(*backend, geometry_);
    const auto blocks = memory.take(length_);
    Rows out(length_, c_.heads * c_.head_dim, 4);
    step(*backend, *workspace, blocks, 0, length_, out.matrix(), generated);
    return out;
  }
  // The scalar table; or, where that takes long, one whose bits are the same:
  // BitsDoNotDependOnHowTheSequenceIsCut compares both.
  Isa exact() const {
    return is_long() && backend_of(Isa::kAvx2, 1) != nullptr ? Isa::kAvx2 : Isa::kScalar;
  }
  // What a prompt's rows give: the fast arithmetic is only there with AVX-512.
  Rows whole() { return whole(fast() ? Isa::kAuto : exact()); }
};

TEST_P(Causal, EqualsArithmeticInDouble) {
  const Rows out = whole();
  const Stored keys(k_, c_.head_dim, c_.dtype), values(v_, c_.head_dim, c_.dtype);
  for (std::int64_t p = 0; p < length_; p += is_long() ? 53 : 1) {
    const std::int64_t from = c_.window > 0 ? std::max<std::int64_t>(0, p + 1 - c_.window) : 0;
    expect_attended(shape_, q_, p, keys, values, from, p + 1, fast(), out);
  }
  ASSERT_TRUE(out.gaps_unchanged());
}

TEST_P(Causal, BitsDoNotDependOnHowTheSequenceIsCut) {
  const Rows exact = whole(Isa::kScalar), best = whole(Isa::kAuto);
  if (!fast()) {
    ASSERT_TRUE(same(best.data, exact.data));
  }
  for (const auto& [name, backend] : all_backends()) {
    if (is_long() && name.starts_with("scalar")) continue;
    const auto workspace = backend->make_workspace();
    const Rows& expected = name.starts_with("avx512") ? best : exact;
    const auto chunks = is_long() ? std::vector<std::int64_t>{29, 1000, 1024, length_}
                                  : std::vector<std::int64_t>{1, 7, 63, 64, 65, length_};
    for (const std::int64_t chunk : chunks) {
      SCOPED_TRACE(name + ", by " + std::to_string(chunk));
      Blocks memory(*backend, geometry_);
      std::vector<std::byte*> blocks;  // grows as the sequence does
      Rows out(length_, expected.cols, 5);
      for (std::int64_t first = 0; first < length_; first += chunk) {
        const std::int64_t rows = std::min(chunk, length_ - first);
        while (std::ssize(blocks) * kKvBlockTokens < first + rows) blocks.push_back(memory.take());
        step(*backend, *workspace, blocks, first, rows, out.matrix().slice_rows(first, rows));
      }
      for (std::int64_t p = 0; p < length_; ++p)
        ASSERT_TRUE(same(out.row(p), expected.row(p))) << "position " << p;
    }
  }
}

// Whatever the arithmetic of prompts: generated rows have the bits of the exact one, in steps of
// one row or of several.
TEST_P(Causal, GeneratedRowsAreExact) {
  const Rows expected = whole(exact(), true);
  for (const auto& [name, backend] : all_backends()) {
    if (name.starts_with("scalar")) continue;
    const auto workspace = backend->make_workspace();
    const std::int64_t prompt = length_ - 45;
    for (const std::int64_t several : {1, 2, 5, 45}) {
      SCOPED_TRACE(name + ", by " + std::to_string(several));
      Blocks memory(*backend, geometry_);
      const auto blocks = memory.take(length_);
      Rows out(length_, expected.cols, 5);
      step(*backend, *workspace, blocks, 0, prompt, out.matrix().slice_rows(0, prompt));
      for (std::int64_t first = prompt; first < length_; first += several) {
        const std::int64_t rows = std::min(several, length_ - first);
        step(*backend, *workspace, blocks, first, rows, out.matrix().slice_rows(first, rows), true);
      }
      for (std::int64_t p = prompt; p < length_; ++p)
        ASSERT_TRUE(same(out.row(p), expected.row(p))) << "position " << p;
    }
  }
}

// Four sequences in one call: two share the block of positions 0 to 63 and go on alone, the third
// is at its beginning, the fourth generates.
TEST_P(Causal, SequencesOfOneStepDoNotSeeEachOther) {
  const Rows expected = whole(), generated = whole(exact(), true);
  for (const int threads : {1, 2, 5}) {
    const auto backend = backend_of(fast() ? Isa::kAuto : Isa::kAvx2, threads);
    if (backend == nullptr) continue;
    const auto workspace = backend->make_workspace();
    Blocks memory(*backend, geometry_);
    std::vector<std::byte*> first = memory.take(length_), fourth = memory.take(length_);
    Rows out(length_, expected.cols, 5);
    const std::int64_t last = length_ - 1;
    step(*backend, *workspace, first, 0, 64, out.matrix().slice_rows(0, 64));
    step(*backend, *workspace, fourth, 0, last, out.matrix().slice_rows(0, last));
    std::vector<std::byte*> second = memory.take(length_), third = memory.take(length_);
    second[0] = first[0];
    // Rows 0..39 of the call: second, positions 64..103; rows 40..45: third, 0..5; rows 46..131:
    // first, 64..149; row 132: fourth, its last.
    const std::int64_t starts[] = {0, 40, 46, 132}, positions[] = {64, 0, 64, last},
                       counts[] = {40, 6, 86, 1};
    Rows q(133, q_.cols, 6), k(133, k_.cols, 6), v(133, v_.cols, 6), y(133, q_.cols, 6);
    for (int s = 0; s < 4; ++s) {
      for (std::int64_t i = 0; i < counts[s]; ++i) {
        std::copy_n(q_.view().row(positions[s] + i), q_.cols, q.matrix().row(starts[s] + i));
        std::copy_n(k_.view().row(positions[s] + i), k_.cols, k.matrix().row(starts[s] + i));
        std::copy_n(v_.view().row(positions[s] + i), v_.cols, v.matrix().row(starts[s] + i));
      }
    }
    const SequenceRows runs[] = {
        {0, 40, 64, second}, {40, 6, 0, third}, {46, 86, 64, first}, {132, 1, last, fourth, true}};
    ASSERT_TRUE(backend->kv_store({geometry_, kLayer}, runs, k.view(), v.view()));
    ASSERT_TRUE(backend->causal_attention(shape_, {geometry_, kLayer}, runs, q.view(), y.matrix(),
                                          *workspace));
    for (int s = 0; s < 4; ++s) {
      for (std::int64_t i = 0; i < counts[s]; ++i) {
        ASSERT_TRUE(
            same(y.row(starts[s] + i), (s == 3 ? generated : expected).row(positions[s] + i)))
            << "sequence " << s << ", row " << i;
      }
    }
  }
}

// Not even a NaN or an infinity that lies ahead reaches a row.
TEST_P(Causal, WhatLiesAheadTakesPartInNothing) {
  const Rows expected = whole();
  for (const std::int64_t bad : {70, 101}) {
    for (const float value : {HUGE_VALF, std::numeric_limits<float>::quiet_NaN()}) {
      const Rows k = k_, v = v_;
      for (std::int64_t p = bad; p < length_; ++p) {
        std::fill_n(k_.matrix().row(p), k_.cols, value);
        std::fill_n(v_.matrix().row(p), v_.cols, value);
      }
      const Rows out = whole();
      for (std::int64_t p = 0; p < bad; ++p)
        ASSERT_TRUE(same(out.row(p), expected.row(p))) << "position " << p << " before " << bad;
      ASSERT_TRUE(std::isnan(out.at(bad, 0)) || c_.dtype == DType::kQ8_0);
      k_ = k;
      v_ = v;
    }
  }
}

TEST_P(Causal, LayersDoNotShareMemory) {
  const auto backend = backend_of(Isa::kAuto, 1);
  const auto workspace = backend->make_workspace();
  Blocks memory(*backend, geometry_);
  const auto blocks = memory.take(length_);
  Rows out(length_, q_.cols, 4), again(length_, q_.cols, 4);
  step(*backend, *workspace, blocks, 0, length_, out.matrix());
  const Rows other(length_, k_.cols, 9);
  const SequenceRows run{0, length_, 0, blocks};
  ASSERT_TRUE(backend->kv_store({geometry_, 0}, {&run, 1}, other.view(), other.view()));
  ASSERT_TRUE(backend->causal_attention(shape_, {geometry_, kLayer}, {&run, 1}, q_.view(),
                                        again.matrix(), *workspace));
  for (std::int64_t p = 0; p < length_; ++p) ASSERT_TRUE(same(again.row(p), out.row(p)));
}

constexpr Arithmetic kF32 = Arithmetic::kF32, kReducedPrecision = Arithmetic::kReducedPrecision;

INSTANTIATE_TEST_SUITE_P(
    All, Causal,
    ::testing::Values(
        CausalCase{4, 4, 16, 0, DType::kF32, kF32}, CausalCase{4, 2, 20, 0, DType::kF32, kF32},
        CausalCase{4, 1, 33, 0, DType::kF16, kF32}, CausalCase{4, 2, 64, 10, DType::kF32, kF32},
        CausalCase{8, 1, 12, 64, DType::kF16, kF32}, CausalCase{4, 2, 80, 1, DType::kF32, kF32},
        CausalCase{4, 2, 16, 1000, DType::kF32, kF32}, CausalCase{4, 4, 128, 0, DType::kQ8_0, kF32},
        CausalCase{8, 2, 24, 65, DType::kQ8_0, kF32},
        CausalCase{2, 1, 16, 0, DType::kF32, kF32, 2150},
        CausalCase{2, 1, 8, 1100, DType::kQ8_0, kF32, 2150},
        CausalCase{4, 4, 16, 0, DType::kF32, kReducedPrecision},
        CausalCase{8, 1, 33, 0, DType::kF16, kReducedPrecision},
        CausalCase{4, 2, 64, 10, DType::kF32, kReducedPrecision},
        CausalCase{4, 1, 136, 77, DType::kF16, kReducedPrecision},
        CausalCase{6, 2, 72, 0, DType::kQ8_0, kReducedPrecision},
        CausalCase{2, 2, 128, 63, DType::kQ8_0, kReducedPrecision},
        CausalCase{2, 1, 16, 0, DType::kF16, kReducedPrecision, 2150},
        CausalCase{2, 1, 8, 1100, DType::kF32, kReducedPrecision, 2150}));

TEST(KvBlocks, RefusesTypesAndSizesThatItDoesNotHave) {
  const auto backend = backend_of(Isa::kAuto, 1);
  EXPECT_EQ(backend->kv_block_bytes({1, 1, 16, 64, DType::kBF16}).error().code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(backend->kv_block_bytes({1, 1, 16, 32, DType::kF32}).error().code,
            ErrorCode::kUnsupported);
  EXPECT_GE(*backend->kv_block_bytes({3, 2, 16, 64, DType::kF32}), 3u * 2 * 2 * 16 * 64 * 4);
  EXPECT_LT(*backend->kv_block_bytes({3, 2, 16, 64, DType::kF16}),
            *backend->kv_block_bytes({3, 2, 16, 64, DType::kF32}));
  // A byte for each value, two scales for each position and head.
  EXPECT_EQ(*backend->kv_block_bytes({3, 2, 128, 64, DType::kQ8_0}), 3u * 2 * 64 * (2 * 128 + 8));
}

}  // namespace
}  // namespace ocellus::compute::cpu
