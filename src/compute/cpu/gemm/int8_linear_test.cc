// Linear layers with quantised and bf16 weights through the backend: near the exact product, and
// the same bits whatever else is computed.
#include <gtest/gtest.h>

#include <cmath>

#include "compute/cpu/testing/backends.h"
#include "compute/cpu/testing/blocks.h"

namespace ocellus::compute::cpu {
namespace {

using testing::all_backends;
using testing::backend_of;
using testing::gate_rows;
using testing::kBlockTypes;
using testing::Rows;
using testing::same;
using testing::Source;
using testing::wide;

// A weight of blocks, and its values [out][in].
struct Blocks {
  Blocks(DType type, std::int64_t out, std::int64_t in, unsigned seed)
      : bytes(testing::random_blocks(
            type, static_cast<std::size_t>(out * in) / tensor::block_values(type), seed, true)),
        values(static_cast<std::size_t>(out * in)),
        view{type, {out, in}, bytes} {
    tensor::dequantize(type, bytes.data(), out * in, values.data());
  }

  std::vector<std::byte> bytes;
  std::vector<float> values;
  tensor::TensorView view;
};

// The product and, for each output, the root of the sum of squared products: what independent
// roundings are measured by.
void expect_near(const Rows& x, const std::vector<float>& w, const Rows& y, double tolerance) {
  for (std::int64_t r = 0; r < y.rows; ++r) {
    for (std::int64_t o = 0; o < y.cols; ++o) {
      double sum = 0, squares = 0;
      for (std::int64_t i = 0; i < x.cols; ++i) {
        const double product = x.at(r, i) * wide(w[static_cast<std::size_t>(o * x.cols + i)]);
        sum += product;
        squares += product * product;
      }
      ASSERT_LE(std::abs(y.at(r, o) - sum), tolerance * std::sqrt(squares))
          << "row " << r << ", output " << o;
    }
  }
}

TEST(QuantLinear, IsNearTheExactProduct) {
  const auto backend = backend_of(Isa::kAuto, 2);
  const auto workspace = backend->make_workspace();
  const std::int64_t out = 70, in = 768;
  for (const DType type : kBlockTypes) {
    SCOPED_TRACE(tensor::dtype_name(type));
    const Blocks blocks(type, out, in, 3);
    const auto weight = backend->make_weight(blocks.view, type);
    ASSERT_TRUE(weight.has_value()) << weight.error().message;
    const Rows x(30, in, 5);
    for (const std::int64_t decode_rows : {0, 30, 7}) {
      Rows y(30, out, 6);
      ASSERT_TRUE(backend->linear(**weight, x.view(), {}, y.matrix(), *workspace, decode_rows));
      // Activations keep about 7 bits and so do weights: 1/200 each, five deviations.
      expect_near(x, blocks.values, y, 0.06);
      ASSERT_TRUE(y.gaps_unchanged());
    }
  }
}

TEST(QuantLinear, BitsDependOnTheRowAlone) {
  const std::int64_t out = 77, in = 256 + 512, max = 40;
  const Rows x(max, in, 3), residual(max, out, 4);
  for (const DType type : kBlockTypes) {
    const Blocks blocks(type, out, in, 9);
    Rows prompt(max, out, 0), decode_rows(max, out, 0);
    for (const auto& [name, backend] : all_backends()) {
      SCOPED_TRACE(name);
      const auto workspace = backend->make_workspace();
      const auto weight = backend->make_weight(blocks.view, type);
      ASSERT_TRUE(weight.has_value());
      const bool truth = name == "scalar, 1";
      for (std::int64_t row = 0; truth && row < max; ++row) {
        const Epilogue epilogue{nullptr, Activation::kSilu, residual.view().slice_rows(row, 1)};
        for (const bool is_generated : {false, true}) {
          Rows& y = is_generated ? decode_rows : prompt;
          ASSERT_TRUE(backend->linear(**weight, x.view().slice_rows(row, 1), epilogue,
                                      y.matrix().slice_rows(row, 1), *workspace, is_generated));
        }
      }
      if (name == "scalar, 5") continue;  // slow, and like two threads
      for (const std::int64_t split : {std::int64_t{0}, std::int64_t{1}, std::int64_t{9}, max}) {
        Rows y(max, out, 0);
        const Epilogue epilogue{nullptr, Activation::kSilu, residual.view()};
        ASSERT_TRUE(backend->linear(**weight, x.view(), epilogue, y.matrix(), *workspace, split));
        for (std::int64_t row = 0; row < max; ++row) {
          ASSERT_TRUE(same(y.row(row), row < split ? decode_rows.row(row) : prompt.row(row)))
              << tensor::dtype_name(type) << ' ' << split << " decode_rows, row " << row;
        }
      }
    }
  }
}

TEST(QuantLinear, OurTypesTakeRowsThatAreNoWholeBlocks) {
  const auto backend = backend_of(Isa::kAuto, 2);
  const auto workspace = backend->make_workspace();
  for (const DType type : {DType::kQ8, DType::kQ4}) {
    for (const std::int64_t in : {1, 31, 100, 129, 250, 300, 511}) {
      const Source source(33, in, DType::kF16, 2);
      const auto weight = backend->make_weight(source.view, type);
      ASSERT_TRUE(weight.has_value()) << weight.error().message;
      const Rows x(13, in, 5);
      for (const std::int64_t decode_rows : {0, 13}) {
        SCOPED_TRACE(::testing::Message()
                     << tensor::dtype_name(type) << ' ' << in << ' ' << decode_rows);
        Rows y(13, 33, 6);
        ASSERT_TRUE(backend->linear(**weight, x.view(), {}, y.matrix(), *workspace, decode_rows));
        expect_near(x, source.values, y, type == DType::kQ8 ? 0.1 : 0.9);
      }
    }
  }
  const Source source(33, 100, DType::kF16, 2);
  EXPECT_EQ(backend->make_weight(source.view, DType::kQ8_0).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(QuantLinear, OneBadRowHarmsNoOther) {
  const auto backend = backend_of(Isa::kAuto, 2);
  const auto workspace = backend->make_workspace();
  const Blocks blocks(DType::kQ4_0, 40, 128, 1);
  const auto weight = backend->make_weight(blocks.view, DType::kQ4_0);
  ASSERT_TRUE(weight.has_value());
  for (const std::int64_t decode_rows : {0, 13}) {
    Rows x(13, 128, 2), y(13, 40, 3), z(13, 40, 3);
    ASSERT_TRUE(backend->linear(**weight, x.view(), {}, y.matrix(), *workspace, decode_rows));
    x.matrix().row(6)[9] = std::numeric_limits<float>::quiet_NaN();
    ASSERT_TRUE(backend->linear(**weight, x.view(), {}, z.matrix(), *workspace, decode_rows));
    for (std::int64_t r = 0; r < 13; ++r) {
      if (r == 6) {
        EXPECT_TRUE(std::isnan(z.at(r, 0)));
      } else {
        EXPECT_TRUE(same(z.row(r), y.row(r)));
      }
    }
  }
}

TEST(QuantLinear, RowsOfTheTableAreTheBlocksValues) {
  for (const auto& [name, backend] : all_backends()) {
    for (const DType type : kBlockTypes) {
      const Blocks blocks(type, 40, 512, 8);
      const auto weight = backend->make_weight(blocks.view, type);
      ASSERT_TRUE(weight.has_value());
      const std::int32_t ids[] = {39, 0, 17};
      Rows y(3, 512, 1);
      ASSERT_TRUE(backend->embed(**weight, ids, y.matrix()));
      for (std::int64_t i = 0; i < 3; ++i) {
        const std::span row(blocks.values.data() + ids[i] * 512, 512);
        ASSERT_TRUE(same(y.row(i), row)) << name << ' ' << tensor::dtype_name(type);
      }
    }
  }
}

TEST(Bf16Linear, IsNearTheExactProductAndKeepsToItsRow) {
  const auto backend = backend_of(Isa::kAuto, 2), one = backend_of(Isa::kAuto, 1);
  const auto workspace = backend->make_workspace();
  for (const std::int64_t in : {1, 31, 300, 2050}) {
    const Source source(45, in, DType::kBF16, 2);
    const auto weight =
        backend->make_weight(source.view, {DType::kBF16, Arithmetic::kReducedPrecision});
    const auto same_weight =
        one->make_weight(source.view, {DType::kBF16, Arithmetic::kReducedPrecision});
    ASSERT_TRUE(weight.has_value() && same_weight.has_value());
    const Rows x(29, in, 5);
    Rows y(29, 45, 6), alone(29, 45, 6);
    ASSERT_TRUE(backend->linear(**weight, x.view(), {}, y.matrix(), *workspace));
    // Activations keep 8 bits: 1/512 at most, evenly spread, five deviations.
    expect_near(x, source.values, y, 0.02);
    for (std::int64_t row = 0; row < 29; ++row) {
      ASSERT_TRUE(one->linear(**same_weight, x.view().slice_rows(row, 1), {},
                              alone.matrix().slice_rows(row, 1), *workspace));
      ASSERT_TRUE(same(alone.row(row), y.row(row)));
    }
    const std::int32_t ids[] = {44, 0};
    Rows rows(2, in, 1);
    ASSERT_TRUE(backend->embed(**weight, ids, rows.matrix()));
    ASSERT_TRUE(
        same(rows.row(0), std::span(source.values.data() + 44 * in, static_cast<std::size_t>(in))));
  }
}

// Layers that read the same rows, in any mixture of types, with and without gates: each gives what
// it gives alone.
TEST(LinearCalls, TogetherGiveWhatTheyGiveAlone) {
  for (const auto& [name, backend] : all_backends()) {
    if (name == "scalar, 5") continue;
    SCOPED_TRACE(name);
    const auto workspace = backend->make_workspace();
    const std::int64_t in = 256, rows = 21;
    const Rows x(rows, in, 1), residual(rows, 33, 2);
    const Source floats(33, in, DType::kF16, 3), wider(70, in, DType::kBF16, 4);
    const Blocks q4(DType::kQ4_K, 33, in, 5), q6(DType::kQ6_K, 33, in, 6);
    const auto a = backend->make_weight(floats.view, DType::kF16),
               b = backend->make_weight(q4.view, DType::kQ4_K),
               c = backend->make_weight(q6.view, DType::kQ6_K),
               d = backend->make_weight(wider.view, {DType::kBF16, Arithmetic::kReducedPrecision});
    ASSERT_TRUE(a && b && c && d);
    Rows ya(rows, 33, 0), yb(rows, 33, 0), yd(rows, 70, 0), gated(rows, 33, 0), apart(rows, 33, 0);
    const LinearCall calls[] = {
        {.weight = a->get(), .epilogue = {.residual = residual.view()}, .y = ya.matrix()},
        {.weight = b->get(), .y = yb.matrix()},
        {.weight = d->get(), .y = yd.matrix()},
        {.weight = b->get(),
         .epilogue = {.activation = Activation::kSilu},
         .y = gated.matrix(),
         .gate = c->get()},
        {.weight = b->get(),
         .epilogue = {.activation = Activation::kSilu},
         .y = apart.matrix(),
         .gate = a->get()}};
    ASSERT_TRUE(backend->linear(x.view(), 4, calls, *workspace));
    const auto alone = [&](const Weight& weight, const Epilogue& epilogue) {
      Rows y(rows, weight.out(), 0);
      EXPECT_TRUE(backend->linear(weight, x.view(), epilogue, y.matrix(), *workspace, 4));
      return y;
    };
    const Rows ea = alone(**a, {.residual = residual.view()}), eb = alone(**b, {}),
               ed = alone(**d, {}), plain_a = alone(**a, {});
    Rows ec = alone(**c, {}), mixed = alone(**a, {});
    gate_rows(Activation::kSilu, ec.matrix(), eb.view());
    gate_rows(Activation::kSilu, mixed.matrix(), eb.view());
    for (std::int64_t r = 0; r < rows; ++r) {
      ASSERT_TRUE(same(ya.row(r), ea.row(r)));
      ASSERT_TRUE(same(yb.row(r), eb.row(r)));
      ASSERT_TRUE(same(yd.row(r), ed.row(r)));
      ASSERT_TRUE(same(gated.row(r), ec.row(r)));
      ASSERT_TRUE(same(apart.row(r), mixed.row(r)));
    }
    ASSERT_TRUE(ya.gaps_unchanged() && gated.gaps_unchanged() && apart.gaps_unchanged());
  }
}

// A task takes several panels of a gate before it takes the layer's: as many as rows and threads
// allow, with a rest at the end.
TEST(LinearCalls, GatedLayersOfManyPanels) {
  const std::int64_t in = 128, out = 61 * kPanel + 5;
  for (const auto& [name, backend] : all_backends()) {
    if (name == "scalar, 5") continue;
    SCOPED_TRACE(name);
    const auto workspace = backend->make_workspace();
    const Blocks up(DType::kQ4_0, out, in, 1), gate(DType::kQ8_0, out, in, 2);
    const auto a = backend->make_weight(up.view, DType::kQ4_0),
               b = backend->make_weight(gate.view, DType::kQ8_0);
    ASSERT_TRUE(a && b);
    for (const std::int64_t rows : {1, 2, 9, 40, 150}) {
      for (const std::int64_t decode_rows : {std::int64_t{0}, rows}) {
        const Rows x(rows, in, 3);
        Rows y(rows, out, 0), ya(rows, out, 0), yb(rows, out, 0);
        const LinearCall together[] = {{.weight = a->get(),
                                        .epilogue = {.activation = Activation::kSilu},
                                        .y = y.matrix(),
                                        .gate = b->get()}};
        ASSERT_TRUE(backend->linear(x.view(), decode_rows, together, *workspace));
        ASSERT_TRUE(backend->linear(**a, x.view(), {}, ya.matrix(), *workspace, decode_rows));
        ASSERT_TRUE(backend->linear(**b, x.view(), {}, yb.matrix(), *workspace, decode_rows));
        gate_rows(Activation::kSilu, yb.matrix(), ya.view());
        for (std::int64_t r = 0; r < rows; ++r) ASSERT_TRUE(same(y.row(r), yb.row(r)));
        ASSERT_TRUE(y.gaps_unchanged());
      }
    }
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
