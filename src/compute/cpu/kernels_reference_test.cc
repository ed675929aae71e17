// The scalar table against plain arithmetic in double. Tolerances come from the operands: a bound
// on the rounding errors of the f32 operations, never a number that happened to pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compute/cpu/kernels.h"
#include "compute/cpu/test_memory.h"
#include "tensor/dtype.h"

namespace ocellus::compute::cpu {
namespace {

using testing::random_values;
using testing::Values;

constexpr double kEps = 0x1p-24;  // half a unit in the last place of 1: one rounding
const Kernels& kScalar = scalar_kernels();

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
          kScalar.tile(a.data(), rows, Element::kF32, b.data(), depth, add, c.data());
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
Expected function_in_double(Function function, double x) {
  switch (function) {
    case Function::kNone:
      return {x, 0};
    case Function::kRelu:
      return {x > 0 ? x : 0, 0};
    case Function::kSilu:
      return {x / (1 + std::exp(-x)), 4 * kEps};  // exp two, the sum one, the quotient one
    case Function::kQuickGelu:
      return {x / (1 + std::exp(-1.702 * x)), (8 + 2 * 1.702 * std::abs(x)) * kEps};
    case Function::kGeluTanh: {
      const double u = 2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
      return {x / (1 + std::exp(-u)), (8 + 5 * std::abs(u)) * kEps};
    }
    case Function::kGelu:
      // erfc's polynomial: 1.3e-8, a fifth of a rounding; z^2 is rounded like a product of three.
      return {x * 0.5 * std::erfc(-x / std::sqrt(2.0)), (12 + 2 * x * x) * kEps};
  }
  return {0, 0};
}

TEST(KernelReference, FunctionsFollowTheirDefinitions) {
  std::vector<float> points;
  for (double x = -110; x <= 110; x += 0.0037) points.push_back(static_cast<float>(x));
  for (double x = 1e-45; x < 1e38; x *= 1.07) {
    points.push_back(static_cast<float>(x));
    points.push_back(static_cast<float>(-x));
  }
  while (points.size() % kPanel != 0) points.push_back(0);
  for (const Function function : {Function::kNone, Function::kGelu, Function::kGeluTanh,
                                  Function::kQuickGelu, Function::kSilu, Function::kRelu}) {
    double worst = 0;
    for (std::size_t first = 0; first < points.size(); first += kPanel) {
      float found[kPanel];
      kScalar.finish(function, {&points[first], 1, nullptr, nullptr, 0, kPanel, found, 0});
      for (std::size_t i = 0; i < kPanel; ++i) {
        const float x = points[first + i];
        const Expected expected = function_in_double(function, wide(x));
        // 1 + exp(u) is infinite in f32 from u = 88.7 on: what is 1e-36 then comes out as zero.
        const double tolerance = expected.relative * std::abs(expected.value) + 1e-36;
        const double error = std::abs(wide(found[i]) - expected.value);
        ASSERT_LE(error, tolerance) << static_cast<int>(function) << " of " << x << ": found "
                                    << found[i] << ", expected " << expected.value;
        worst = std::max(worst, error / tolerance);
      }
    }
    RecordProperty("worst_of_function_" + std::to_string(static_cast<int>(function)),
                   std::to_string(worst));
  }
}

TEST(KernelReference, FunctionsOfNotANumberAndInfinity) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float x[kPanel] = {std::numeric_limits<float>::quiet_NaN(), kInfinity, 1.0f};
  for (const Function function : {Function::kGelu, Function::kGeluTanh, Function::kQuickGelu,
                                  Function::kSilu, Function::kRelu}) {
    float found[kPanel];
    kScalar.finish(function, {x, 1, nullptr, nullptr, 0, kPanel, found, 0});
    EXPECT_TRUE(std::isnan(found[0])) << static_cast<int>(function);
    EXPECT_EQ(found[1], kInfinity) << static_cast<int>(function);
    EXPECT_GT(found[2], 0.7f) << static_cast<int>(function);
  }
}

TEST(KernelReference, FinishAddsBiasBeforeAndResidualAfter) {
  for (int n = 1; n <= kPanel; ++n) {
    const auto count = static_cast<std::size_t>(n);
    const auto c = random_values(kPanel, Values::kUsual, count);
    const auto bias = random_values(count, Values::kUsual, count + 50);
    const auto residual = random_values(count, Values::kUsual, count + 100);
    std::vector<float> y(count);
    kScalar.finish(Function::kRelu, {c.data(), 1, bias.data(), residual.data(), 0, n, y.data(), 0});
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_EQ(y[i], std::max(0.0f, c[i] + bias[i]) + residual[i]);
  }
}

TEST(KernelReference, NormsFollowTheirDefinitions) {
  for (const std::size_t n : {1, 2, 15, 16, 17, 48, 100, 1000, 4096}) {
    for (const float shift : {0.0f, 100.0f}) {
      for (const float eps : {1e-5f, 0.1f}) {
        auto x = random_values(n, Values::kUsual, n);
        for (float& value : x) value += shift;
        const auto weight = random_values(n, Values::kUsual, n + 1);
        const auto bias = random_values(n, Values::kUsual, n + 2);
        const double count = static_cast<double>(n), roundings = count / kLanes + 12;
        double sum = 0, size = 0, squares = 0;
        for (const float value : x) {
          sum += wide(value);
          size += std::abs(wide(value));
          squares += wide(value) * wide(value);
        }
        const double mean = sum / count;
        double variance = 0;
        for (const float value : x) variance += (wide(value) - mean) * (wide(value) - mean);
        variance /= count;
        std::vector<float> y(n);

        kScalar.rms_norm(x.data(), weight.data(), eps, static_cast<std::int64_t>(n), y.data());
        for (std::size_t i = 0; i < n; ++i) {
          const double expected =
              wide(x[i]) / std::sqrt(squares / count + wide(eps)) * wide(weight[i]);
          ASSERT_LE(std::abs(wide(y[i]) - expected), roundings * kEps * std::abs(expected));
        }

        kScalar.layer_norm(x.data(), weight.data(), bias.data(), eps, static_cast<std::int64_t>(n),
                           y.data());
        const double root = std::sqrt(variance + wide(eps));
        // Error of a difference from the mean: the mean's own, and one rounding.
        const double of_mean = roundings * kEps * size / count;
        for (std::size_t i = 0; i < n; ++i) {
          const double d = wide(x[i]) - mean, expected = d / root * wide(weight[i]) + wide(bias[i]);
          const double of_difference = of_mean + kEps * std::abs(d);
          const double of_root = roundings * kEps + 2 * (of_mean + kEps * root) / root;
          const double tolerance =
              std::abs(wide(weight[i])) / root * (of_difference + std::abs(d) * of_root) +
              2 * kEps * (std::abs(expected) + std::abs(wide(bias[i])));
          ASSERT_LE(std::abs(wide(y[i]) - expected), tolerance) << n << " values around " << shift;
        }
      }
    }
  }
}

TEST(KernelReference, NormsOfConstantAndZeroRowsAreFinite) {
  for (const std::int64_t n : {1, 7, 16, 100}) {
    const std::vector<float> ones(static_cast<std::size_t>(n), 1.0f), zeros(ones.size(), 0.0f);
    std::vector<float> y(ones.size(), 5.0f);
    kScalar.layer_norm(ones.data(), ones.data(), ones.data(), 1e-5f, n, y.data());
    EXPECT_EQ(y, ones);  // nothing is left but the bias
    kScalar.rms_norm(zeros.data(), ones.data(), 1e-6f, n, y.data());
    EXPECT_EQ(y, zeros);
  }
}

TEST(KernelReference, AddGatedAndRotate) {
  const std::size_t n = 53;
  const auto x = random_values(n, Values::kUsual, 1), up = random_values(n, Values::kUsual, 2);
  auto y = up;
  kScalar.add(x.data(), n, y.data());
  for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(y[i], x[i] + up[i]);
  y = x;
  kScalar.gated(Function::kSilu, y.data(), up.data(), n);
  for (std::size_t i = 0; i < n; ++i) {
    const Expected silu = function_in_double(Function::kSilu, wide(x[i]));
    const double expected = silu.value * wide(up[i]);
    ASSERT_LE(std::abs(wide(y[i]) - expected), (silu.relative + kEps) * std::abs(expected));
  }
  std::vector<float> cos(n), sin(n);
  for (std::size_t i = 0; i < n; ++i) {
    cos[i] = std::cos(static_cast<float>(i));
    sin[i] = std::sin(static_cast<float>(i));
  }
  const auto before = random_values(2 * n, Values::kUsual, 3);
  auto rotated = before;
  kScalar.rotate(rotated.data(), cos.data(), sin.data(), n);
  for (std::size_t i = 0; i < n; ++i) {
    const double a = wide(before[i]), b = wide(before[i + n]), c = wide(cos[i]), s = wide(sin[i]);
    const double tolerance = 2 * kEps * (std::abs(a) + std::abs(b));
    ASSERT_NEAR(wide(rotated[i]), a * c - b * s, tolerance);
    ASSERT_NEAR(wide(rotated[i + n]), b * c + a * s, tolerance);
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
