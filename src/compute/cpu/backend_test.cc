// The backend's other operations: embeddings, norms and rotations, against double and against each
// other.
#include <gtest/gtest.h>

#include <cmath>

#include "compute/cpu/elementwise/kernels.h"
#include "compute/cpu/testing/backends.h"
#include "tensor/quant.h"

namespace ocellus::compute::cpu {
namespace {

using testing::all_backends;
using testing::backend_of;
using testing::random_values;
using testing::Rows;
using testing::same;
using testing::Source;
using testing::stored_as;
using testing::Values;
using testing::wide;

constexpr double kEps = 0x1p-24;

TEST(Backend, EmbedReadsRowsExactly) {
  const auto backend = backend_of(Isa::kAuto, 2);
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    const Source source(70, 19, DType::kF32, 1);
    const auto table = backend->make_weight(source.view, dtype);
    ASSERT_TRUE(table.has_value());
    const std::vector<std::int32_t> ids = {69, 0, 31, 32, 33, 0, 64};
    Rows out(std::ssize(ids), 19, 2);
    ASSERT_TRUE(backend->embed(**table, ids, out.matrix()));
    for (std::size_t r = 0; r < ids.size(); ++r) {
      for (std::int64_t i = 0; i < 19; ++i) {
        const float value = source.values[static_cast<std::size_t>(ids[r] * 19 + i)];
        ASSERT_EQ(out.at(static_cast<std::int64_t>(r), i), wide(stored_as(dtype, value)));
      }
    }
    ASSERT_TRUE(out.gaps_unchanged());
  }
}

// A type's rounding without its arithmetic: f32 products with the values that the blocks stand for.
TEST(Backend, ExpandsRoundedWeightsWhenAsked) {
  const std::int64_t out = 37, in = 512;
  const auto plain = backend_of(Isa::kAuto, 2);
  const auto expanding =
      make_cpu_backend({.threads = 2, .isa = Isa::kAuto, .expand_weights = true}).value_or(nullptr);
  ASSERT_NE(expanding, nullptr);
  const auto workspace = plain->make_workspace();
  const Source source(out, in, DType::kF16, 1);
  const Rows x(9, in, 2);
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0,
                            DType::kQ4_K, DType::kQ6_K}) {
    SCOPED_TRACE(tensor::dtype_name(dtype));
    std::vector<float> values = source.values;
    std::vector<std::byte> blocks(values.size() * sizeof(float));
    tensor::quantize(dtype, source.values.data(), out * in, blocks.data());
    tensor::dequantize(dtype, blocks.data(), out * in, values.data());
    const auto wanted =
        plain->make_weight({DType::kF32, {out, in}, std::as_bytes(std::span(values))}, DType::kF32);
    const auto found = expanding->make_weight(source.view, dtype);
    ASSERT_TRUE(wanted.has_value() && found.has_value());
    EXPECT_EQ((*found)->dtype(), DType::kF32);
    Rows expected(9, out, 3), y(9, out, 4);
    ASSERT_TRUE(plain->linear(**wanted, x.view(), {}, expected.matrix(), *workspace));
    ASSERT_TRUE(expanding->linear(**found, x.view(), {}, y.matrix(), *workspace));
    for (std::int64_t r = 0; r < 9; ++r) EXPECT_TRUE(same(y.row(r), expected.row(r)));
    // Blocks that a file holds already are not rounded again.
    blocks.resize(values.size() / tensor::block_values(dtype) * tensor::block_bytes(dtype));
    const auto again = expanding->make_weight({dtype, {out, in}, blocks}, dtype);
    ASSERT_TRUE(again.has_value());
    ASSERT_TRUE(expanding->linear(**again, x.view(), {}, y.matrix(), *workspace));
    for (std::int64_t r = 0; r < 9; ++r) EXPECT_TRUE(same(y.row(r), expected.row(r)));
  }
  EXPECT_FALSE(
      expanding->make_weight({DType::kF16, {out, in}, source.view.data.subspan(2)}, DType::kQ8_0)
          .has_value());
  const Source narrow(3, 100, DType::kF32, 1);
  EXPECT_FALSE(expanding->make_weight(narrow.view, DType::kQ4_0).has_value());
  // q8 may end inside a block, which is then rounded as one that ends in zeros.
  std::vector<float> padded(128, 0.0f), values(300, 0.0f);
  std::vector<std::byte> block(tensor::block_bytes(DType::kQ8));
  for (std::int64_t r = 0; r < 3; ++r) {
    std::copy_n(narrow.values.data() + 100 * r, 100, padded.data());
    std::vector<float> back(128);
    tensor::quantize(DType::kQ8, padded.data(), 128, block.data());
    tensor::dequantize(DType::kQ8, block.data(), 128, back.data());
    std::copy_n(back.data(), 100, values.data() + 100 * r);
  }
  const Rows z(4, 100, 5);
  const auto wanted =
      plain->make_weight({DType::kF32, {3, 100}, std::as_bytes(std::span(values))}, DType::kF32);
  const auto found = expanding->make_weight(narrow.view, DType::kQ8);
  ASSERT_TRUE(wanted.has_value() && found.has_value());
  Rows expected(4, 3, 3), y(4, 3, 4);
  ASSERT_TRUE(plain->linear(**wanted, z.view(), {}, expected.matrix(), *workspace));
  ASSERT_TRUE(expanding->linear(**found, z.view(), {}, y.matrix(), *workspace));
  for (std::int64_t r = 0; r < 4; ++r) EXPECT_TRUE(same(y.row(r), expected.row(r)));
}

// The kernels are tested on their own; here: every row, with its own operands, whatever the
// threads, in place or not.
TEST(Backend, RowOperationsDoEveryRowAlone) {
  const std::int64_t rows = 21, cols = 37;
  const auto weight = random_values(cols, Values::kUsual, 1);
  const auto bias = random_values(cols, Values::kUsual, 2);
  const Rows x(rows, cols, 3);
  const ElementwiseKernels& kernels = scalar_elementwise();
  for (const auto& [name, backend] : all_backends()) {
    SCOPED_TRACE(name);
    Rows layer(rows, cols, 5), rms(rows, cols, 6), in_place = x;
    ASSERT_TRUE(backend->layer_norm(x.view(), weight.data(), bias.data(), 1e-5f, layer.matrix()));
    ASSERT_TRUE(backend->rms_norm(x.view(), weight.data(), 1e-5f, rms.matrix()));
    ASSERT_TRUE(backend->rms_norm(in_place.view(), weight.data(), 1e-5f, in_place.matrix()));
    for (std::int64_t r = 0; r < rows; ++r) {
      std::vector<float> expected(cols);
      const auto from = x.row(r);
      kernels.layer_norm(from.data(), weight.data(), bias.data(), 1e-5f, cols, expected.data());
      ASSERT_TRUE(same(layer.row(r), expected));
      kernels.rms_norm(from.data(), weight.data(), 1e-5f, cols, expected.data());
      ASSERT_TRUE(same(rms.row(r), expected));
      ASSERT_TRUE(same(in_place.row(r), expected));
    }
    ASSERT_TRUE(layer.gaps_unchanged() && rms.gaps_unchanged());
  }
}

TEST(Backend, RopeTurnsTheFirstPartOfEachHead) {
  // 3 heads of 10, of which the first 8 values turn.
  const std::int64_t rows = 11, heads = 3, head_dim = 10, half = 4;
  const Rows before(rows, heads * head_dim, 1), cos(rows, half, 2), sin(rows, half, 3);
  for (const auto& [name, backend] : all_backends()) {
    SCOPED_TRACE(name);
    Rows x = before;
    ASSERT_TRUE(backend->rope(x.matrix(), heads, head_dim, cos.view(), sin.view()));
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t base = h * head_dim;
        for (std::int64_t i = 0; i < half; ++i) {
          const double a = before.at(r, base + i), b = before.at(r, base + half + i);
          const double c = cos.at(r, i), s = sin.at(r, i);
          const double tolerance =
              2 * kEps * (std::abs(a) + std::abs(b)) * (std::abs(c) + std::abs(s));
          ASSERT_NEAR(x.at(r, base + i), a * c - b * s, tolerance);
          ASSERT_NEAR(x.at(r, base + half + i), b * c + a * s, tolerance);
        }
        for (std::int64_t i = 2 * half; i < head_dim; ++i)
          ASSERT_EQ(x.at(r, base + i), before.at(r, base + i));
      }
    }
    ASSERT_TRUE(x.gaps_unchanged());
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
