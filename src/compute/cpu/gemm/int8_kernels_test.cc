// Products in 8-bit integers: the scalar table against double, every other table against it, bit
// for bit, between forbidden pages.
#include "compute/cpu/gemm/int8_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compute/cpu/testing/blocks.h"
#include "compute/cpu/testing/memory.h"
#include "compute/cpu/testing/tables.h"

namespace ocellus::compute::cpu {
namespace {

using tensor::DType;
using testing::Edge;
using testing::Fenced;
using testing::kBlockTypes;
using testing::random_values;
using testing::same;
using testing::TestChunk;
using testing::Values;

constexpr double kEps = 0x1p-24;

std::vector<const Int8Kernels*> fast_tables() {
  std::vector<const Int8Kernels*> tables;
  for (const Int8Kernels* table : {avx2_int8_kernels(), avxvnni_int8_kernels(),
                                   testing::avxvnni_as_evex(), avx512_int8_kernels()})
    if (table != nullptr) tables.push_back(table);
  return tables;
}

// Rows rounded by the scalar table.
struct RoundedRows {
  RoundedRows(std::int64_t rows, std::int64_t n, unsigned seed, Edge edge = Edge::kBack)
      : depth((n + kGroup - 1) / kGroup * kGroup),
        q(static_cast<std::size_t>(rows * depth), edge),
        scales(static_cast<std::size_t>(rows * depth / kGroup), edge),
        neg_sums(static_cast<std::size_t>(rows * depth / kSubBlock * kSums), edge) {
    std::vector<std::int8_t> row(static_cast<std::size_t>(depth));
    std::vector<float> row_scales(static_cast<std::size_t>(depth / kGroup));
    std::vector<std::int32_t> row_neg_sums(static_cast<std::size_t>(depth / kSubBlock * kSums));
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto x = random_values(static_cast<std::size_t>(n), Values::kUsual,
                                   seed + static_cast<unsigned>(r));
      scalar_int8_kernels().round_row(x.data(), n, row.data(), row_scales.data(),
                                      row_neg_sums.data());
      for (std::int64_t k = 0; k < depth; ++k) {
        const auto at = static_cast<std::size_t>(k);
        const std::int64_t place = k / kSubBlock * rows + r;
        q.data()[place * kSubBlock + k % kSubBlock] = row[at];
        scales.data()[k / kGroup * rows + r] = row_scales[at / kGroup];
        for (std::int64_t i = 0; i < kSums; ++i)
          neg_sums.data()[place * kSums + i] =
              row_neg_sums[static_cast<std::size_t>(k / kSubBlock * kSums + i)];
      }
    }
    view = {q.data(), scales.data(), neg_sums.data(), rows, depth};
  }
  double at(std::int64_t r, std::int64_t k) const {
    return static_cast<double>(scale(r, k / kGroup)) * value(r, k);
  }
  std::int8_t value(std::int64_t r, std::int64_t k) const {
    return view.q[(k / kSubBlock * view.rows + r) * kSubBlock + k % kSubBlock];
  }
  float scale(std::int64_t r, std::int64_t group) const {
    return view.scales[group * view.rows + r];
  }
  // As the tiles have them.
  Int8Tile tile(const Int8Kernels& table) {
    const auto rows = view.rows;
    constexpr std::int64_t kGap = 5;
    std::vector<std::int8_t> apart;
    std::vector<std::int32_t> sums;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t k = 0; k < depth; ++k) apart.push_back(value(r, k));
      apart.insert(apart.end(), kGap, 77);
      for (std::int64_t s = 0; s < depth / kSubBlock; ++s) {
        const std::int32_t* const neg_sums = view.neg_sums + (s * rows + r) * kSums;
        sums.insert(sums.end(), neg_sums, neg_sums + kSums);
      }
    }
    interleaved.resize(static_cast<std::size_t>(rows * depth) *
                       static_cast<std::size_t>(table.tile_value_bytes));
    acc_init.resize(static_cast<std::size_t>(depth / kGroup * rows));
    table.interleave({.q = apart.data(),
                      .neg_sums = sums.data(),
                      .stride = depth + kGap,
                      .depth = depth,
                      .rows = static_cast<int>(rows)},
                     interleaved.data(), acc_init.data());
    for (std::int64_t g = 0; g < depth / kGroup; ++g) {
      for (std::int64_t r = 0; r < rows; ++r) tile_scales.push_back(scale(r, g));
    }
    return {interleaved.data(), tile_scales.data(), acc_init.data(), static_cast<int>(rows)};
  }

  std::int64_t depth;
  Fenced<std::int8_t> q;
  Fenced<float> scales;
  Fenced<std::int32_t> neg_sums;
  Int8Rows view;
  std::vector<std::int8_t> interleaved;
  std::vector<float> tile_scales;
  std::vector<std::int32_t> acc_init;
};

TEST(RoundRow, IsWithinHalfAStep) {
  for (const std::int64_t n : {1, 16, 127, 128, 129, 1000}) {
    const auto x = random_values(static_cast<std::size_t>(n), Values::kUsual, 1);
    const std::int64_t depth = (n + kGroup - 1) / kGroup * kGroup;
    std::vector<std::int8_t> q(static_cast<std::size_t>(depth), 99);
    std::vector<float> scales(static_cast<std::size_t>(depth / kGroup));
    std::vector<std::int32_t> sums(static_cast<std::size_t>(depth / kSubBlock * kSums));
    scalar_int8_kernels().round_row(x.data(), n, q.data(), scales.data(), sums.data());
    for (std::int64_t g = 0; g < depth / kGroup; ++g) {
      int max = 0;
      for (std::int64_t k = g * kGroup; k < (g + 1) * kGroup; ++k) {
        const int value = q[static_cast<std::size_t>(k)];
        max = std::max(max, std::abs(value));
        const double scale = static_cast<double>(scales[static_cast<std::size_t>(g)]);
        const double wanted = k < n ? static_cast<double>(x[static_cast<std::size_t>(k)]) : 0;
        ASSERT_LE(std::abs(scale * value - wanted), 0.5001 * scale) << n << ' ' << k;
      }
      EXPECT_EQ(max, 127);
    }
    for (std::int64_t s = 0; s < depth / kSubBlock; ++s) {
      std::int32_t halves[2] = {};
      for (int i = 0; i < kSubBlock; ++i)
        halves[i / 16] += q[static_cast<std::size_t>(s * kSubBlock + i)];
      const std::int32_t* const neg_sums = sums.data() + s * kSums;
      ASSERT_EQ(neg_sums[0], -halves[0]);
      ASSERT_EQ(neg_sums[1], -halves[1]);
      ASSERT_EQ(neg_sums[2], -halves[0] - halves[1]);
    }
  }
}

TEST(RoundRow, ZerosTinyAndInfiniteValues) {
  std::vector<const Int8Kernels*> tables = fast_tables();
  tables.push_back(&scalar_int8_kernels());
  for (const Int8Kernels* table : tables) {
    std::vector<float> x(3 * kGroup, 0.0f);
    x[kGroup + 5] = std::numeric_limits<float>::denorm_min();
    x[2 * kGroup] = 1.0f;
    x[2 * kGroup + 127] = -std::numeric_limits<float>::infinity();
    std::vector<std::int8_t> q(x.size(), 1);
    float scales[3];
    std::int32_t sums[3 * kGroup / kSubBlock * kSums];
    table->round_row(x.data(), std::ssize(x), q.data(), scales, sums);
    EXPECT_EQ(scales[0], 0.0f);
    EXPECT_TRUE(std::isnan(scales[2]));
    for (const std::int8_t value : q) ASSERT_EQ(value, 0);
    for (const std::int32_t sum : sums) ASSERT_EQ(sum, 0);
  }
}

TEST(RoundRow, EveryTableGivesTheScalarBits) {
  for (const Int8Kernels* table : fast_tables()) {
    for (const Values kind : {Values::kUsual, Values::kWide, Values::kAny}) {
      for (const Edge edge : {Edge::kFront, Edge::kBack}) {
        for (std::int64_t n = 1; n <= 300; n += n < 40 ? 1 : 13) {
          const Fenced<float> x(random_values(static_cast<std::size_t>(n), kind, 7), edge);
          const auto depth = static_cast<std::size_t>((n + kGroup - 1) / kGroup * kGroup);
          const Fenced<std::int8_t> q(depth, edge), expected_q(depth, edge);
          const Fenced<float> scales(depth / kGroup, edge), expected_scales(depth / kGroup, edge);
          const Fenced<std::int32_t> sums(depth / kSubBlock * kSums, edge),
              expected_sums(depth / kSubBlock * kSums, edge);
          scalar_int8_kernels().round_row(x.data(), n, expected_q.data(), expected_scales.data(),
                                          expected_sums.data());
          table->round_row(x.data(), n, q.data(), scales.data(), sums.data());
          ASSERT_EQ(q.copy(), expected_q.copy()) << table->name << ' ' << n;
          ASSERT_TRUE(same(scales.span(), expected_scales.span())) << table->name << ' ' << n;
          ASSERT_EQ(sums.copy(), expected_sums.copy());
          ASSERT_TRUE(q.guards_unchanged() && scales.guards_unchanged() && sums.guards_unchanged());
        }
      }
    }
  }
}

TEST(Dot, EqualsArithmeticInDouble) {
  for (const DType type : kBlockTypes) {
    for (const std::int64_t length : {std::int64_t{kBlockK}, std::int64_t{224}, std::int64_t{32}}) {
      if (tensor::block_values(type) == 256 && length != kBlockK) continue;
      const TestChunk chunk(type, length, 3);
      const RoundedRows rows(3, length, 5);
      std::vector<float> sums(3 * kPanel), c(3 * kPanel, 1.5f);
      scalar_int8_kernels().dot(chunk.chunk, rows.view, 0, true, sums.data(), c.data());
      for (std::int64_t r = 0; r < 3; ++r) {
        for (std::int64_t o = 0; o < kPanel; ++o) {
          double sum = 1.5, size = 1.5;
          for (std::int64_t k = 0; k < length; ++k) {
            sum += rows.at(r, k) * chunk.at(k, o);
            // A minimum may be far larger than what is left of it.
            size += std::abs(rows.at(r, k)) * (std::abs(chunk.at(k, o)) + 16);
          }
          ASSERT_LE(
              std::abs(static_cast<double>(c[static_cast<std::size_t>(r * kPanel + o)]) - sum),
              32 * kEps * size)
              << tensor::dtype_name(type) << ' ' << length << ' ' << r << ' ' << o;
        }
      }
    }
  }
}

TEST(Dot, EveryTableGivesTheScalarBitsForAnyRows) {
  for (const Int8Kernels* table : fast_tables()) {
    for (const DType type : kBlockTypes) {
      for (const bool usual : {true, false}) {
        for (const std::int64_t length : {std::int64_t{kBlockK}, std::int64_t{160}}) {
          if (tensor::block_values(type) == 256 && length != kBlockK) continue;
          const TestChunk chunk(type, length, 11, usual);
          const Fenced<std::byte> fenced(chunk.bytes, Edge::kBack);
          const QuantChunk view = quant_chunk(type, fenced.data(), length);
          for (const std::int64_t count : {1, 2, 3, 8, 13}) {
            // The chunk is the second of the rows' length.
            const RoundedRows rows(count, kBlockK + length, 17);
            for (const bool add : {false, true}) {
              const auto n = static_cast<std::size_t>(count * kPanel);
              const Fenced<float> sums(n, Edge::kBack);
              const Fenced<float> c(std::vector<float>(n, 0.25f), Edge::kBack);
              std::vector<float> expected(n, 0.25f), scratch(n);
              scalar_int8_kernels().dot(chunk.chunk, rows.view, kBlockK, add, scratch.data(),
                                        expected.data());
              table->dot(view, rows.view, kBlockK, add, sums.data(), c.data());
              ASSERT_TRUE(same(c.span(), expected))
                  << table->name << ' ' << tensor::dtype_name(type) << ' ' << count;
              ASSERT_TRUE(c.guards_unchanged());
              // A row alone gives what it gives beside others.
              const RoundedRows last(1, kBlockK + length, 17 + static_cast<unsigned>(count) - 1);
              std::vector<float> alone(kPanel, 0.25f);
              table->dot(view, last.view, kBlockK, add, scratch.data(), alone.data());
              ASSERT_TRUE(same(alone, c.span().subspan(n - kPanel)));
            }
          }
        }
      }
    }
  }
}

// What a panel of 8-bit weights stands for.
double value_of(const std::vector<std::uint8_t>& q, const std::vector<float>& scales,
                std::int64_t k, std::int64_t o) {
  const auto at = static_cast<std::size_t>((k / 4 * kPanel + o) * 4 + k % 4);
  return static_cast<double>(scales[static_cast<std::size_t>(k / kGroup * kPanel + o)]) *
         (q[at] - 128);
}

TEST(Requantize, IsWithinAStepOfTheBlocks) {
  for (const DType type : kBlockTypes) {
    const TestChunk chunk(type, kBlockK, 23);
    std::vector<std::uint8_t> q(kBlockK * kPanel);
    std::vector<float> scales(2 * kPanel);
    scalar_int8_kernels().requantize(chunk.chunk, q.data(), scales.data());
    double noise = 0, steps = 0;
    for (std::int64_t k = 0; k < kBlockK; ++k) {
      for (std::int64_t o = 0; o < kPanel; ++o) {
        const double scale = std::abs(
            static_cast<double>(scales[static_cast<std::size_t>(k / kGroup * kPanel + o)]));
        const double error = value_of(q, scales, k, o) - chunk.at(k, o);
        ASSERT_LE(std::abs(error), 0.8 * scale)
            << tensor::dtype_name(type) << ' ' << k << ' ' << o << ' ' << chunk.at(k, o);
        noise += error * error;
        steps += scale * scale;
      }
    }
    // One scale for all means no rounding; else that of an even spread, 1/12 of a step squared, and
    // a little for the multipliers.
    EXPECT_LE(noise / steps, tensor::block_values(type) == kGroup ? 1e-6 : 0.105)
        << tensor::dtype_name(type);
  }
}

TEST(Requantize, EveryTableGivesTheScalarBits) {
  for (const Int8Kernels* table : fast_tables()) {
    for (const DType type : kBlockTypes) {
      for (const std::int64_t length : {std::int64_t{kBlockK}, std::int64_t{160}}) {
        if (tensor::block_values(type) == 256 && length != kBlockK) continue;
        for (unsigned seed = 0; seed < 20; ++seed) {
          const TestChunk chunk(type, length, seed, seed % 2 == 0);
          const auto groups = static_cast<std::size_t>((length + kGroup - 1) / kGroup);
          std::vector<std::uint8_t> expected(static_cast<std::size_t>(length * kPanel));
          std::vector<float> expected_scales(groups * kPanel);
          scalar_int8_kernels().requantize(chunk.chunk, expected.data(), expected_scales.data());
          const Fenced<std::uint8_t> q(expected.size(), Edge::kBack);
          const Fenced<float> scales(expected_scales.size(), Edge::kBack);
          table->requantize(chunk.chunk, q.data(), scales.data());
          ASSERT_TRUE(same(scales.span(), expected_scales))
              << table->name << ' ' << tensor::dtype_name(type) << ' ' << seed;
          for (std::size_t i = 0; i < expected.size(); ++i) {
            const std::size_t o = i / 4 % kPanel, group = i / (kGroup * kPanel);
            if (std::isnan(expected_scales[group * kPanel + o])) continue;
            ASSERT_EQ(q.data()[i], expected[i])
                << table->name << ' ' << tensor::dtype_name(type) << ' ' << seed << ' ' << i;
          }
          ASSERT_TRUE(q.guards_unchanged() && scales.guards_unchanged());
        }
      }
    }
  }
}

// A panel as a table's tiles take it.
struct TilePanel {
  TilePanel(const Int8Kernels& table, const Int8Panel& bytes, std::int64_t depth)
      : q(table.widen_i16 == nullptr
              ? 0
              : static_cast<std::size_t>(depth * kPanel * table.tile_value_bytes),
          Edge::kBack),
        acc_init(static_cast<std::size_t>((depth + kGroup - 1) / kGroup * kPanel), Edge::kBack),
        view(bytes) {
    if (table.widen_i16 == nullptr) return;
    table.widen_i16(bytes, depth, q.data(), acc_init.data());
    view = {q.data(), kGroup * kPanel * table.tile_value_bytes, bytes.scales, acc_init.data()};
  }

  Fenced<std::uint8_t> q;
  Fenced<std::int32_t> acc_init;
  Int8Panel view;
};

TEST(Int8Tile, EqualsIntegersInDouble) {
  const std::int64_t depth = 3 * kGroup;
  RoundedRows rows(3, depth, 41);
  std::mt19937 random(43);
  std::vector<std::uint8_t> q(static_cast<std::size_t>(depth * kPanel));
  for (std::uint8_t& value : q) value = static_cast<std::uint8_t>(random());
  const auto scales = random_values(static_cast<std::size_t>(3 * kPanel), Values::kUsual, 44);
  std::vector<float> c(3 * kPanel, -0.5f);
  scalar_int8_kernels().tile(rows.tile(scalar_int8_kernels()),
                             {q.data(), kGroup * kPanel, scales.data()}, depth, true, c.data());
  for (std::int64_t r = 0; r < 3; ++r) {
    for (std::int64_t o = 0; o < kPanel; ++o) {
      double sum = -0.5, size = 0.5;
      for (std::int64_t k = 0; k < depth; ++k) {
        const double product = rows.at(r, k) * value_of(q, scales, k, o);
        sum += product;
        size += std::abs(product);
      }
      ASSERT_NEAR(static_cast<double>(c[static_cast<std::size_t>(r * kPanel + o)]), sum,
                  8 * kEps * size);
    }
  }
}

TEST(Int8Tile, EveryTableGivesTheScalarBitsForAnyRows) {
  std::mt19937 random(47);
  for (const Int8Kernels* table : fast_tables()) {
    for (const std::int64_t depth : {std::int64_t{4}, std::int64_t{96}, std::int64_t{128},
                                     std::int64_t{160}, std::int64_t{640}}) {
      const auto groups = static_cast<std::size_t>((depth + kGroup - 1) / kGroup);
      for (int count = 1; count <= table->tile_rows; ++count) {
        RoundedRows rows(count, depth, 53);
        const Int8Tile tile = rows.tile(*table);
        // Groups may stand apart.
        const std::int64_t group_bytes = kGroup * kPanel + 64;
        const Fenced<std::uint8_t> q(static_cast<std::size_t>((depth - 1) / kGroup * group_bytes +
                                                              ((depth - 1) % kGroup + 1) * kPanel),
                                     Edge::kBack);
        for (std::uint8_t& value : q.span()) value = static_cast<std::uint8_t>(random());
        const Fenced<float> scales(random_values(groups * kPanel, Values::kUsual, 59), Edge::kBack);
        const Int8Panel panel{q.data(), group_bytes, scales.data()};
        const TilePanel own(*table, panel, depth);
        ASSERT_TRUE(own.q.guards_unchanged() && own.acc_init.guards_unchanged());
        for (const bool add : {false, true}) {
          const auto n = static_cast<std::size_t>(count * kPanel);
          const Fenced<float> c(std::vector<float>(n, 0.75f), Edge::kBack);
          std::vector<float> expected(n, 0.75f);
          for (int r = 0; r < count; ++r) {
            RoundedRows one(1, depth, 53 + static_cast<unsigned>(r));
            scalar_int8_kernels().tile(one.tile(scalar_int8_kernels()), panel, depth, add,
                                       expected.data() + r * kPanel);
          }
          table->tile(tile, own.view, depth, add, c.data());
          ASSERT_TRUE(same(c.span(), expected)) << table->name << ' ' << depth << ' ' << count;
          ASSERT_TRUE(c.guards_unchanged());
        }
      }
    }
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
