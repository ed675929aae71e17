// Linear layers through the backend: right, and the same bits whatever else is computed.
#include <gtest/gtest.h>

#include <cmath>

#include "compute/cpu/testing/backends.h"

namespace ocellus::compute::cpu {
namespace {

using testing::all_backends;
using testing::backend_of;
using testing::NamedBackend;
using testing::random_values;
using testing::Rows;
using testing::same;
using testing::Source;
using testing::stored_as;
using testing::Values;
using testing::wide;

constexpr double kEps = 0x1p-24;
constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

// y = relu?(x w^T + bias) + residual in double, and a bound for every rounding on the way.
void expect_product(const Rows& x, const Source& source, DType dtype, const float* bias,
                    Activation activation, const Rows* residual, const Rows& y) {
  for (std::int64_t r = 0; r < y.rows; ++r) {
    for (std::int64_t o = 0; o < y.cols; ++o) {
      double sum = bias == nullptr ? 0 : wide(bias[o]), size = std::abs(sum);
      for (std::int64_t i = 0; i < x.cols; ++i) {
        const float w = stored_as(dtype, source.values[static_cast<std::size_t>(o * x.cols + i)]);
        sum += x.at(r, i) * wide(w);
        size += std::abs(x.at(r, i) * wide(w));
      }
      if (activation == Activation::kRelu) sum = std::max(0.0, sum);
      if (residual != nullptr) {
        sum += residual->at(r, o);
        size += std::abs(residual->at(r, o));
      }
      ASSERT_LE(std::abs(y.at(r, o) - sum), (static_cast<double>(x.cols) + 4) * kEps * size)
          << "row " << r << ", output " << o;
    }
  }
}

TEST(Linear, EqualsArithmeticInDouble) {
  const auto backend = backend_of(Isa::kAuto, 2);
  const auto workspace = backend->make_workspace();
  for (const DType from : kTypes) {
    for (const DType to : kTypes) {
      for (const std::int64_t out : {1, 31, 32, 33, 100, 257}) {
        for (const std::int64_t in : {1, 31, 32, 33, 100, 257, 600}) {
          const Source source(out, in, from, static_cast<std::uint64_t>(out * 1000 + in));
          const auto weight = backend->make_weight(source.view, to);
          ASSERT_TRUE(weight.has_value()) << weight.error().message;
          EXPECT_EQ((*weight)->out(), out);
          EXPECT_EQ((*weight)->in(), in);
          EXPECT_EQ((*weight)->dtype(), to);
          EXPECT_GE((*weight)->bytes(),
                    static_cast<std::size_t>(out * in) * tensor::block_bytes(to));
          const Rows x(5, in, 1);
          Rows y(5, out, 2);
          ASSERT_TRUE(backend->linear(**weight, x.view(), {}, y.matrix(), *workspace));
          expect_product(x, source, to, nullptr, Activation::kNone, nullptr, y);
          ASSERT_TRUE(y.gaps_unchanged());
        }
      }
    }
  }
}

TEST(Linear, EveryNumberOfRowsWithEveryEpilogue) {
  const auto backend = backend_of(Isa::kAuto, 2);
  const auto workspace = backend->make_workspace();
  const std::int64_t out = 45, in = 261;
  const Source source(out, in, DType::kBF16, 1);
  const auto weight = backend->make_weight(source.view, DType::kBF16);
  ASSERT_TRUE(weight.has_value());
  const auto bias = random_values(static_cast<std::size_t>(out), Values::kUsual, 2);
  std::vector<std::int64_t> counts = {100, 503, 504, 505, 520};
  for (std::int64_t rows = 0; rows <= 40; ++rows) counts.push_back(rows);
  for (const std::int64_t rows : counts) {
    SCOPED_TRACE(rows);
    const Rows x(rows, in, 3), residual(rows, out, 4);
    for (const bool with_bias : {false, true}) {
      for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
        const Epilogue plain{with_bias ? bias.data() : nullptr, activation, {}};
        Epilogue with_residual = plain;
        with_residual.residual = residual.view();
        Rows y(rows, out, 5, 0), z = residual;
        ASSERT_TRUE(backend->linear(**weight, x.view(), plain, y.matrix(), *workspace));
        expect_product(x, source, DType::kBF16, plain.bias, activation, nullptr, y);
        ASSERT_TRUE(backend->linear(**weight, x.view(), with_residual, y.matrix(), *workspace));
        expect_product(x, source, DType::kBF16, plain.bias, activation, &residual, y);
        // The residual may be the output itself.
        with_residual.residual = z.matrix();
        ASSERT_TRUE(backend->linear(**weight, x.view(), with_residual, z.matrix(), *workspace));
        ASSERT_TRUE(z.gaps_unchanged());
        for (std::int64_t r = 0; r < rows; ++r) ASSERT_TRUE(same(z.row(r), y.row(r)));
      }
    }
  }
}

TEST(Linear, EveryActivationIsApplied) {
  const auto backend = backend_of(Isa::kAuto, 1);
  const auto workspace = backend->make_workspace();
  const std::vector<float> one = {1.0f};
  const auto weight =
      backend->make_weight({DType::kF32, {1, 1}, std::as_bytes(std::span(one))}, DType::kF32);
  ASSERT_TRUE(weight.has_value());
  // f(1) and f(-1) tell the six apart.
  const struct {
    Activation activation;
    double at_one, at_minus_one;
  } cases[] = {{Activation::kNone, 1, -1},
               {Activation::kGelu, 0.8413447461, -0.1586552539},
               {Activation::kGeluTanh, 0.8411919906, -0.1588080094},
               {Activation::kQuickGelu, 0.8457957659, -0.1542042341},
               {Activation::kSilu, 0.7310585786, -0.2689414214},
               {Activation::kRelu, 1, 0}};
  for (const auto& [activation, at_one, at_minus_one] : cases) {
    const float x[] = {1, -1};
    float y[2];
    ASSERT_TRUE(backend->linear(**weight, {x, 2, 1, 1}, {nullptr, activation, {}}, {y, 2, 1, 1},
                                *workspace));
    EXPECT_NEAR(wide(y[0]), at_one, 1e-6);
    EXPECT_NEAR(wide(y[1]), at_minus_one, 1e-6);
    const float up = 2;
    const auto twice =
        backend->make_weight({DType::kF32, {1, 1}, std::as_bytes(std::span(&up, 1))}, DType::kF32);
    ASSERT_TRUE(twice.has_value());
    const LinearCall gated{.weight = twice->get(),
                           .epilogue = {.activation = activation},
                           .y = {y, 2, 1, 1},
                           .gate = weight->get()};
    ASSERT_TRUE(backend->linear({x, 2, 1, 1}, 0, {&gated, 1}, *workspace));
    EXPECT_NEAR(wide(y[0]), 2 * at_one, 2e-6);
    EXPECT_NEAR(wide(y[1]), -2 * at_minus_one, 2e-6);
  }
}

// Each row alone on the scalar backend is the truth; every other backend must give its bits for any
// number of rows.
TEST(Linear, BitsDependNeitherOnRowsNorThreadsNorInstructions) {
  const std::int64_t out = 77, in = 523, max = 520;
  const auto bias = random_values(static_cast<std::size_t>(out), Values::kUsual, 2);
  const Rows x(max, in, 3), residual(max, out, 4);
  for (const DType dtype : kTypes) {
    const Source source(out, in, dtype, 1);
    Rows expected(max, out, 0);
    for (const auto& [name, backend] : all_backends()) {
      SCOPED_TRACE(name);
      const auto workspace = backend->make_workspace();
      const auto weight = backend->make_weight(source.view, dtype);
      ASSERT_TRUE(weight.has_value());
      const bool truth = name == "scalar, 1";
      std::vector<std::int64_t> counts = {1, 2, 3, 5, 6, 7, 11, 12, 13, 24, 25, 40, 100};
      if (!name.starts_with("scalar")) counts.push_back(max);
      if (truth) counts = {1};
      for (const std::int64_t rows : counts) {
        for (std::int64_t first = 0; first < (truth ? max : std::min(max, 3 * rows));
             first += rows) {
          const std::int64_t count = std::min(rows, max - first);
          Rows y(count, out, 0);
          const Epilogue epilogue{bias.data(), Activation::kSilu,
                                  residual.view().slice_rows(first, count)};
          ASSERT_TRUE(backend->linear(
              **weight, x.view().slice_rows(first, count), epilogue,
              truth ? expected.matrix().slice_rows(first, count) : y.matrix(), *workspace));
          for (std::int64_t r = 0; !truth && r < count; ++r)
            ASSERT_TRUE(same(y.row(r), expected.row(first + r))) << rows << " rows, row " << r;
        }
      }
    }
  }
}

TEST(Linear, OneBadRowHarmsNoOther) {
  const auto backend = backend_of(Isa::kAuto, 2);
  const auto workspace = backend->make_workspace();
  const Source source(40, 50, DType::kF32, 1);
  const auto weight = backend->make_weight(source.view, DType::kF32);
  ASSERT_TRUE(weight.has_value());
  Rows x(13, 50, 2), y(13, 40, 3), z(13, 40, 3);
  ASSERT_TRUE(backend->linear(**weight, x.view(), {}, y.matrix(), *workspace));
  x.matrix().row(6)[9] = std::numeric_limits<float>::quiet_NaN();
  ASSERT_TRUE(backend->linear(**weight, x.view(), {}, z.matrix(), *workspace));
  for (std::int64_t r = 0; r < 13; ++r) {
    if (r == 6) {
      EXPECT_TRUE(std::isnan(z.at(r, 0)));
    } else {
      EXPECT_TRUE(same(z.row(r), y.row(r)));
    }
  }
}

TEST(MakeWeight, RefusesWhatIsNotAMatrixOfFloats) {
  const auto backend = backend_of(Isa::kAuto, 1);
  const std::vector<std::byte> bytes(64);
  const auto code_of = [&](const tensor::TensorView& view, DType dtype) {
    const auto weight = backend->make_weight(view, dtype);
    return weight ? ErrorCode::kInternal : weight.error().code;
  };
  EXPECT_EQ(code_of({DType::kI32, {4, 4}, bytes}, DType::kF32), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of({DType::kF32, {4, 4}, bytes}, DType::kU8), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of({DType::kF32, {16}, bytes}, DType::kF32), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({DType::kF32, {0, 4}, bytes}, DType::kF32), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({DType::kF32, {4, 5}, bytes}, DType::kF32), ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      code_of({DType::kF32, {std::int64_t{1} << 40, std::int64_t{1} << 40}, bytes}, DType::kF32),
      ErrorCode::kInvalidArgument);
}

TEST(MakeWeight, TellsOfNarrowingByNearestEven) {
  const auto backend = backend_of(Isa::kAuto, 1);
  // Halfway between two bf16 values and two f16 values, once up and once down; too large for f16.
  const float values[] = {1.00390625f, 1.01171875f, 1.00048828125f, 1.00146484375f, 70000.0f};
  const auto read_back = [&](DType dtype) {
    const auto weight =
        backend->make_weight({DType::kF32, {5, 1}, std::as_bytes(std::span(values))}, dtype);
    const std::int32_t ids[] = {0, 1, 2, 3, 4};
    std::vector<float> back(5);
    EXPECT_TRUE(backend->embed(**weight, ids, {back.data(), 5, 1, 1}));
    return back;
  };
  const auto bf16 = read_back(DType::kBF16);
  EXPECT_EQ(bf16[0], 1.0f);
  EXPECT_EQ(bf16[1], 1.015625f);
  const auto f16 = read_back(DType::kF16);
  EXPECT_EQ(f16[2], 1.0f);
  EXPECT_EQ(f16[3], 1.001953125f);
  EXPECT_TRUE(std::isinf(f16[4]));
  EXPECT_EQ(read_back(DType::kF32), std::vector<float>(values, values + 5));
}

TEST(CpuBackend, RefusesWhatItCannotBe) {
  EXPECT_EQ(make_cpu_backend({.threads = -1}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(make_cpu_backend({.threads = 100000}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(parse_isa("avx512"), Isa::kAvx512);
  EXPECT_EQ(parse_isa("AVX2"), std::nullopt);
  EXPECT_EQ(backend_of(Isa::kScalar, 1)->describe(), "cpu: scalar, 1 thread");
  EXPECT_EQ(backend_of(Isa::kScalar, 2)->describe(), "cpu: scalar, 2 threads");
}

}  // namespace
}  // namespace ocellus::compute::cpu
