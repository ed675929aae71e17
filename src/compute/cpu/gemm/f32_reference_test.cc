// The scalar table against plain arithmetic in double. Tolerances come from the operands: a bound
// on the rounding errors of the f32 operations, never a number that happened to pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compute/cpu/gemm/f32_kernels.h"
#include "compute/cpu/testing/memory.h"
#include "tensor/dtype.h"

namespace ocellus::compute::cpu {
namespace {

using testing::random_values;
using testing::Values;

constexpr double kEps = 0x1p-24;  // half a unit in the last place of 1: one rounding
const F32Kernels& kScalar = scalar_f32_kernels();

double wide(float x) { return static_cast<double>(x); }

TEST(KernelReference, TileIsAProductOfMatrices) {
  for (const Values kind : {Values::kUsual, Values::kWide}) {
    for (int rows = 1; rows <= kScalar.tile_rows; ++rows) {
      for (const std::int64_t depth : {0, 1, 5, 256, 1000}) {
        const auto n = static_cast<std::size_t>(depth);
        const auto a = random_values(n * static_cast<std::size_t>(rows), kind, n + 1);
        const auto b = random_values(n * kPanel, kind, n + 2);
        const auto before = random_values(static_cast<std::size_t>(rows * kPanel), kind, n + 3);
        for (const bool add : {false, true}) {
          auto c = before;
          kScalar.tile({a.data(), rows, Element::kF32, b.data(), depth, add, c.data()});
          for (int r = 0; r < rows; ++r) {
            for (int o = 0; o < kPanel; ++o) {
              const auto at = static_cast<std::size_t>(r * kPanel + o);
              double sum = add ? wide(before[at]) : 0, size = std::abs(sum);
              for (std::int64_t k = 0; k < depth; ++k) {
                const double product = wide(a[static_cast<std::size_t>(k * rows + r)]) *
                                       wide(b[static_cast<std::size_t>(k * kPanel + o)]);
                sum += product;
                size += std::abs(product);
              }
              ASSERT_LE(std::abs(wide(c[at]) - sum),
                        (static_cast<double>(depth) + 1) * (kEps * size + 0x1p-149))
                  << rows << " rows, depth " << depth;
            }
          }
        }
      }
    }
  }
}

TEST(KernelReference, ExpandIsWhatTheFormatsSay) {
  for (const Element element : {Element::kF16, Element::kBF16}) {
    for (std::uint32_t first = 0; first < 65536; first += kLanes) {
      std::uint16_t bits[kLanes];
      float found[kLanes];
      for (std::uint32_t i = 0; i < kLanes; ++i) bits[i] = static_cast<std::uint16_t>(first + i);
      kScalar.expand(element, bits, kLanes, found);
      for (int i = 0; i < kLanes; ++i) {
        const bool half = element == Element::kF16;
        const int width = half ? 10 : 7, bias = half ? 15 : 127, top = half ? 31 : 255;
        const int exponent = bits[i] >> width & top, fraction = bits[i] & ((1 << width) - 1);
        if (exponent == top && fraction != 0) {
          ASSERT_TRUE(std::isnan(found[i])) << bits[i];
          continue;
        }
        const double magnitude = exponent == top ? HUGE_VAL
                                 : exponent == 0
                                     ? std::ldexp(fraction, 1 - bias - width)
                                     : std::ldexp(fraction + (1 << width), exponent - bias - width);
        ASSERT_EQ(wide(found[i]), (bits[i] & 0x8000) != 0 ? -magnitude : magnitude) << bits[i];
        ASSERT_EQ(std::signbit(found[i]), (bits[i] & 0x8000) != 0) << bits[i];
      }
    }
  }
}

struct Expected {
  double value;
  double relative;  // what rounding may change, as a share of the value
};

// `roundings` of relative 2^-24 each; an exponential's argument u that was rounded n times changes
// the result by n |u| more.
Expected activation_in_double(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone:
      return {x, 0};
    case Activation::kRelu:
      return {x > 0 ? x : 0, 0};
    case Activation::kSilu:
      return {x / (1 + std::exp(-x)), 4 * kEps};  // exp two, the sum one, the quotient one
    case Activation::kQuickGelu:
      return {x / (1 + std::exp(-1.702 * x)), (8 + 2 * 1.702 * std::abs(x)) * kEps};
    case Activation::kGeluTanh: {
      const double u = 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
      return {x / (1 + std::exp(-u)), (8 + 5 * std::abs(u)) * kEps};
    }
    case Activation::kGelu:
      // erfc's polynomial: 1.3e-8, a fifth of a rounding; z^2 is rounded like a product of three.
      return {x * 0.5 * std::erfc(-x / std::sqrt(2.0)), (12 + 2 * x * x) * kEps};
  }
  return {0, 0};
}

TEST(KernelReference, ActivationsFollowTheirDefinitions) {
  std::vector<float> points;
  for (double x = -110; x <= 110; x += 0.0037) points.push_back(static_cast<float>(x));
  for (double x = 1e-45; x < 1e38; x *= 1.07) {
    points.push_back(static_cast<float>(x));
    points.push_back(static_cast<float>(-x));
  }
  while (points.size() % kPanel != 0) points.push_back(0);
  for (const Activation activation :
       {Activation::kNone, Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu,
        Activation::kSilu, Activation::kRelu}) {
    double worst = 0;
    for (std::size_t first = 0; first < points.size(); first += kPanel) {
      float found[kPanel];
      kScalar.epilogue(activation, {&points[first], 1, nullptr, nullptr, 0, kPanel, found, 0});
      for (std::size_t i = 0; i < kPanel; ++i) {
        const float x = points[first + i];
        const Expected expected = activation_in_double(activation, wide(x));
        // 1 + exp(u) is infinite in f32 from u = 88.7 on: what is 1e-36 then comes out as zero.
        const double tolerance = expected.relative * std::abs(expected.value) + 1e-36;
        const double error = std::abs(wide(found[i]) - expected.value);
        ASSERT_LE(error, tolerance) << static_cast<int>(activation) << " of " << x << ": found "
                                    << found[i] << ", expected " << expected.value;
        worst = std::max(worst, error / tolerance);
      }
    }
    RecordProperty("worst_of_activation_" + std::to_string(static_cast<int>(activation)),
                   std::to_string(worst));
  }
}

TEST(KernelReference, ActivationsOfNotANumberAndInfinity) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float x[kPanel] = {std::numeric_limits<float>::quiet_NaN(), kInfinity, 1.0f};
  for (const Activation activation :
       {Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu, Activation::kSilu,
        Activation::kRelu}) {
    float found[kPanel];
    kScalar.epilogue(activation, {x, 1, nullptr, nullptr, 0, kPanel, found, 0});
    EXPECT_TRUE(std::isnan(found[0])) << static_cast<int>(activation);
    EXPECT_EQ(found[1], kInfinity) << static_cast<int>(activation);
    EXPECT_GT(found[2], 0.7f) << static_cast<int>(activation);
  }
}

TEST(KernelReference, EpilogueAddsBiasBeforeAndResidualAfter) {
  for (int n = 1; n <= kPanel; ++n) {
    const auto count = static_cast<std::size_t>(n);
    const auto c = random_values(kPanel, Values::kUsual, count);
    const auto bias = random_values(count, Values::kUsual, count + 50);
    const auto residual = random_values(count, Values::kUsual, count + 100);
    std::vector<float> y(count);
    kScalar.epilogue(Activation::kRelu,
                     {c.data(), 1, bias.data(), residual.data(), 0, n, y.data(), 0});
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_EQ(y[i], std::max(0.0f, c[i] + bias[i]) + residual[i]);
  }
}

TEST(KernelReference, GatedEpilogueMultipliesTheActivatedGate) {
  for (int n = 1; n <= kPanel; ++n) {
    const auto count = static_cast<std::size_t>(n);
    const auto gate = random_values(kPanel, Values::kUsual, count);
    const auto c = random_values(kPanel, Values::kUsual, count + 1);
    std::vector<float> y(count);
    kScalar.gated_epilogue(Activation::kSilu, {c.data(), 1, nullptr, nullptr, 0, n, y.data(), 0},
                           gate.data(), nullptr);
    for (std::size_t i = 0; i < count; ++i) {
      const Expected silu = activation_in_double(Activation::kSilu, wide(gate[i]));
      const double expected = silu.value * wide(c[i]);
      ASSERT_LE(std::abs(wide(y[i]) - expected), (silu.relative + kEps) * std::abs(expected));
    }
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
