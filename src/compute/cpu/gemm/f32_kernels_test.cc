// Every kernel of every instruction set against the scalar table, bit for bit, in memory where a
// step too far is seen.
#include "compute/cpu/gemm/f32_kernels.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "compute/cpu/testing/memory.h"

namespace ocellus::compute::cpu {
namespace {

using testing::Edge;
using testing::Fenced;
using testing::kAllValues;
using testing::random_values;
using testing::same;
using testing::Values;

using Floats = std::vector<float>;
using FencedFloats = Fenced<float>;

constexpr Edge kEdges[] = {Edge::kFront, Edge::kBack};
constexpr Activation kActivations[] = {Activation::kNone,     Activation::kGelu,
                                       Activation::kGeluTanh, Activation::kQuickGelu,
                                       Activation::kSilu,     Activation::kRelu};
constexpr Element kElements[] = {Element::kF32, Element::kF16, Element::kBF16};

// The parameter is a table's name. The scalar one is held against itself too: that is how its own
// reads and writes are seen.
class KernelTable : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string_view name = GetParam();
    table_ = name == "avx512" ? avx512_f32_kernels()
             : name == "avx2" ? avx2_f32_kernels()
                              : &scalar_f32_kernels();
    if (table_ == nullptr) GTEST_SKIP() << "this machine does not have " << name;
    EXPECT_EQ(table_->name, name);
  }

  // Runs `call(table, outputs)` on the scalar table in ordinary memory and on the tested table
  // between fences.
  template <typename Call>
  void compare(const Floats& before, Edge edge, Call&& call) {
    Floats expected = before;
    call(scalar_f32_kernels(), expected.data());
    const FencedFloats found(before, edge);
    call(*table_, found.data());
    ASSERT_TRUE(same(found.span(), expected));
    ASSERT_TRUE(found.guards_unchanged());
  }

  const F32Kernels* table_ = nullptr;
};

TEST_P(KernelTable, TileEqualsScalarAtEveryShape) {
  ASSERT_GE(table_->tile_rows, 1);
  ASSERT_LE(table_->tile_rows, kMaxTileRows);
  for (const Values kind : kAllValues) {
    for (int rows = 1; rows <= table_->tile_rows; ++rows) {
      for (const std::int64_t depth : {0, 1, 2, 3, 4, 5, 255, 256, 257, 1000}) {
        SCOPED_TRACE(::testing::Message() << rows << " rows, depth " << depth);
        const Edge edge = kEdges[(rows + depth) % 2];
        const auto seed = static_cast<std::uint64_t>(rows * 10000 + depth);
        const FencedFloats a(random_values(static_cast<std::size_t>(depth * rows), kind, seed),
                             edge);
        const FencedFloats b(
            random_values(static_cast<std::size_t>(depth * kPanel), kind, seed + 1), edge);
        const Floats before =
            random_values(static_cast<std::size_t>(rows * kPanel), kind, seed + 2);
        for (const bool add : {false, true}) {
          // A table's tile may be taller than the scalar one: rows do not depend on each other, so
          // the expected ones are made one by one.
          Floats expected = before;
          for (int r = 0; r < rows; ++r) {
            Floats row(static_cast<std::size_t>(depth));
            for (std::int64_t k = 0; k < depth; ++k)
              row[static_cast<std::size_t>(k)] = a.data()[k * rows + r];
            scalar_f32_kernels().tile(
                {row.data(), 1, Element::kF32, b.data(), depth, add, expected.data() + r * kPanel});
          }
          const FencedFloats found(before, edge);
          table_->tile({a.data(), rows, Element::kF32, b.data(), depth, add, found.data()});
          ASSERT_TRUE(same(found.span(), expected));
          ASSERT_TRUE(found.guards_unchanged());
        }
      }
    }
  }
}

// Few rows take 16-bit weights as they come: the same bits as by way of f32.
TEST_P(KernelTable, TileOfNarrowWeightsEqualsThatOfExpandedOnes) {
  for (const Element element : {Element::kF16, Element::kBF16}) {
    for (int rows = 1; rows <= kDirectRows; ++rows) {
      for (const std::int64_t depth : {1, 2, 3, 255, 256}) {
        SCOPED_TRACE(::testing::Message() << rows << " rows, depth " << depth);
        const auto seed = static_cast<std::uint64_t>(rows * 1000 + depth);
        const FencedFloats a(
            random_values(static_cast<std::size_t>(depth * rows), kAllValues[0], seed),
            Edge::kBack);
        std::vector<std::uint16_t> narrow(static_cast<std::size_t>(depth * kPanel));
        for (std::size_t i = 0; i < narrow.size(); ++i)
          narrow[i] =
              static_cast<std::uint16_t>((i * 2654435761u + seed) % 0x7000 + 0x8000 * (i % 2));
        const Fenced<std::uint16_t> b(std::span<const std::uint16_t>(narrow), Edge::kBack);
        Floats wide(narrow.size());
        scalar_f32_kernels().expand(element, narrow.data(),
                                    static_cast<std::int64_t>(narrow.size()), wide.data());
        const Floats before =
            random_values(static_cast<std::size_t>(rows * kPanel), kAllValues[0], seed + 2);
        for (const bool add : {false, true}) {
          Floats expected = before;
          table_->tile({a.data(), rows, Element::kF32, wide.data(), depth, add, expected.data()});
          const FencedFloats found(before, Edge::kBack);
          table_->tile({a.data(), rows, element, b.data(), depth, add, found.data()});
          ASSERT_TRUE(same(found.span(), expected));
          ASSERT_TRUE(found.guards_unchanged());
        }
      }
    }
  }
}

TEST_P(KernelTable, ExpandsEveryNarrowValueExactly) {
  std::vector<std::uint16_t> all(65536);
  std::iota(all.begin(), all.end(), 0);
  const Fenced<std::uint16_t> from(std::span<const std::uint16_t>(all), Edge::kBack);
  for (const Element element : {Element::kF16, Element::kBF16}) {
    Floats expected(all.size());
    scalar_f32_kernels().expand(element, all.data(), 65536, expected.data());
    const FencedFloats found(all.size(), Edge::kFront);
    table_->expand(element, from.data(), 65536, found.data());
    ASSERT_EQ(std::memcmp(found.data(), expected.data(), all.size() * sizeof(float)), 0);
    ASSERT_TRUE(found.guards_unchanged());
  }
}

TEST_P(KernelTable, ExpandStaysInsideItsArrays) {
  for (const Element element : kElements) {
    for (const Edge edge : kEdges) {
      for (std::size_t n = 0; n <= 320; n += kLanes) {
        const std::size_t words = element == Element::kF32 ? n : n / 2;
        const FencedFloats from(random_values(words, Values::kAny, n), edge);
        compare(Floats(n), edge, [&](const F32Kernels& kernels, float* to) {
          kernels.expand(element, from.data(), static_cast<std::int64_t>(n), to);
        });
      }
    }
  }
}

TEST_P(KernelTable, EpilogueEqualsScalar) {
  for (const Activation activation : kActivations) {
    for (const Values kind : kAllValues) {
      for (int n = 1; n <= kPanel; ++n) {
        const auto count = static_cast<std::size_t>(n);
        const Edge edge = kEdges[n % 2];
        const FencedFloats c(random_values(kPanel, kind, count), edge);
        const FencedFloats bias(random_values(count, kind, count + 100), edge);
        const Floats residual = random_values(count, kind, count + 200);
        for (const bool with_bias : {false, true}) {
          const float* const b = with_bias ? bias.data() : nullptr;
          const FencedFloats apart(residual, edge);
          compare(Floats(count), edge, [&](const F32Kernels& kernels, float* y) {
            kernels.epilogue(activation, {c.data(), 1, b, nullptr, 0, n, y, 0});
          });
          compare(Floats(count), edge, [&](const F32Kernels& kernels, float* y) {
            kernels.epilogue(activation, {c.data(), 1, b, apart.data(), 0, n, y, 0});
          });
          compare(residual, edge, [&](const F32Kernels& kernels, float* y) {
            kernels.epilogue(activation, {c.data(), 1, b, y, 0, static_cast<int>(n), y,
                                          0});  // the residual is the output
          });
        }
      }
    }
  }
}

TEST_P(KernelTable, GatedEpilogueEqualsScalar) {
  for (const Activation activation : kActivations) {
    for (const Values kind : kAllValues) {
      for (int n = 1; n <= kPanel; ++n) {
        const auto count = static_cast<std::size_t>(n);
        const Edge edge = kEdges[n % 2];
        const FencedFloats c(random_values(kPanel, kind, count), edge);
        const FencedFloats gate(random_values(kPanel, kind, count + 50), edge);
        const FencedFloats bias(random_values(count, kind, count + 100), edge);
        const FencedFloats gate_bias(random_values(count, kind, count + 200), edge);
        for (const bool biased : {false, true}) {
          compare(Floats(count), edge, [&](const F32Kernels& kernels, float* y) {
            kernels.gated_epilogue(
                activation, {c.data(), 1, biased ? bias.data() : nullptr, nullptr, 0, n, y, 0},
                gate.data(), biased ? gate_bias.data() : nullptr);
          });
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelTable, ::testing::Values("scalar", "avx2", "avx512"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace ocellus::compute::cpu
