// Products in bf16: the instruction against its description in plain code, and that against double.
#include "compute/cpu/gemm/bf16_kernels.h"

#include <gtest/gtest.h>

#include <cmath>

#include "compute/cpu/testing/memory.h"
#include "tensor/dtype.h"

namespace ocellus::compute::cpu {
namespace {

using testing::Edge;
using testing::Fenced;
using testing::kAllValues;
using testing::random_values;
using testing::same;
using testing::Values;

std::vector<std::uint16_t> rounded(std::size_t n, Values kind, std::uint64_t seed) {
  std::vector<std::uint16_t> bits;
  for (const float x : random_values(n, kind, seed)) bits.push_back(tensor::f32_to_bf16(x));
  return bits;
}

TEST(Bf16RoundRow, RoundsToNearestEven) {
  for (const Bf16Kernels* table : {&scalar_bf16_kernels(), avx512_bf16_kernels()}) {
    if (table == nullptr) continue;
    for (const Values kind : kAllValues) {
      for (std::int64_t n = 1; n < 70; ++n) {
        const auto x = random_values(static_cast<std::size_t>(n), kind, 3);
        const Fenced<float> from(x, Edge::kBack);
        const Fenced<std::uint16_t> to(x.size(), Edge::kBack);
        table->round_row(from.data(), n, to.data());
        for (std::size_t i = 0; i < x.size(); ++i) {
          const std::uint16_t expected = tensor::f32_to_bf16(x[i]);
          ASSERT_TRUE(same(tensor::bf16_to_f32(to.data()[i]), tensor::bf16_to_f32(expected)))
              << table->name << ' ' << x[i];
        }
        ASSERT_TRUE(to.guards_unchanged());
      }
    }
  }
}

TEST(Bf16Tile, EqualsArithmeticInDouble) {
  constexpr std::int64_t kPairs = 100;
  constexpr int kRows = 3;
  const auto a = rounded(kPairs * kRows * 2, Values::kUsual, 1),
             b = rounded(kPairs * kPanel * 2, Values::kUsual, 2);
  std::vector<float> c(kRows * kPanel, 2.0f);
  scalar_bf16_kernels().tile(a.data(), kRows, b.data(), kPairs, true, c.data());
  const auto value = [](const std::vector<std::uint16_t>& bits, std::int64_t at) {
    return static_cast<double>(tensor::bf16_to_f32(bits[static_cast<std::size_t>(at)]));
  };
  for (std::int64_t r = 0; r < kRows; ++r) {
    for (std::int64_t o = 0; o < kPanel; ++o) {
      double sum = 2, size = 2;
      for (std::int64_t k = 0; k < kPairs * 2; ++k) {
        const double product =
            value(a, (k / 2 * kRows + r) * 2 + k % 2) * value(b, (k / 2 * kPanel + o) * 2 + k % 2);
        sum += product;
        size += std::abs(product);
      }
      ASSERT_NEAR(static_cast<double>(c[static_cast<std::size_t>(r * kPanel + o)]), sum,
                  2 * kPairs * 0x1p-24 * size);
    }
  }
}

TEST(Bf16Tile, TheInstructionIsWhatItIsDescribedAs) {
  const Bf16Kernels* const table = avx512_bf16_kernels();
  if (table == nullptr) GTEST_SKIP() << "this machine has no products of bf16";
  for (const Values kind : kAllValues) {
    for (const std::int64_t pairs : {1, 2, 7, 64, 129}) {
      for (int rows = 1; rows <= table->tile_rows; ++rows) {
        const auto n = static_cast<std::size_t>(pairs);
        const Fenced<std::uint16_t> a(rounded(n * static_cast<std::size_t>(rows) * 2, kind, 5),
                                      Edge::kBack);
        const Fenced<std::uint16_t> b(rounded(n * kPanel * 2, kind, 6), Edge::kBack);
        for (const bool add : {false, true}) {
          const auto size = static_cast<std::size_t>(rows) * kPanel;
          const Fenced<float> c(std::vector<float>(size, 0.5f), Edge::kBack);
          std::vector<float> expected(size, 0.5f);
          scalar_bf16_kernels().tile(a.data(), rows, b.data(), pairs, add, expected.data());
          table->tile(a.data(), rows, b.data(), pairs, add, c.data());
          ASSERT_TRUE(same(c.span(), expected)) << pairs << ' ' << rows;
          ASSERT_TRUE(c.guards_unchanged());
        }
      }
    }
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
