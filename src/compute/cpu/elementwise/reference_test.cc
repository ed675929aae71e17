// The scalar table against plain arithmetic in double, with bounds from the f32 roundings.
#include <gtest/gtest.h>

#include <cmath>

#include "compute/cpu/elementwise/kernels.h"
#include "compute/cpu/testing/memory.h"

namespace ocellus::compute::cpu {
namespace {

using testing::random_values;
using testing::Values;

constexpr double kEps = 0x1p-24;  // half a unit in the last place of 1: one rounding
const ElementwiseKernels& kScalar = scalar_elementwise();

double wide(float x) { return static_cast<double>(x); }

TEST(ElementwiseReference, NormsFollowTheirDefinitions) {
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

TEST(ElementwiseReference, NormsOfConstantAndZeroRowsAreFinite) {
  for (const std::int64_t n : {1, 7, 16, 100}) {
    const std::vector<float> ones(static_cast<std::size_t>(n), 1.0f), zeros(ones.size(), 0.0f);
    std::vector<float> y(ones.size(), 5.0f);
    kScalar.layer_norm(ones.data(), ones.data(), ones.data(), 1e-5f, n, y.data());
    EXPECT_EQ(y, ones);  // nothing is left but the bias
    kScalar.rms_norm(zeros.data(), ones.data(), 1e-6f, n, y.data());
    EXPECT_EQ(y, zeros);
  }
}

TEST(ElementwiseReference, RotateTurnsByTheAngle) {
  const std::size_t n = 53;
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
