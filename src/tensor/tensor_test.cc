#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/dtype.h"
#include "tensor/view.h"

namespace ocellus::tensor {
namespace {

// Every half value goes to f32 and back unchanged; NaN stays NaN.
TEST(Half, RoundTripsAllValues) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
    } else {
      EXPECT_EQ(f32_to_f16(value), half);
    }
  }
}

// The compiler's own _Float16 is the oracle, on values that sit at and beside every rounding
// boundary.
TEST(Half, RoundsLikeTheCompiler) {
  for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const float low = f16_to_f32(static_cast<std::uint16_t>(bits));
    const float high = f16_to_f32(static_cast<std::uint16_t>(bits + 1));
    const float middle = std::isinf(high) ? 65520.0f : (low + high) / 2;
    for (const float x : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f)}) {
      const auto expected = std::bit_cast<std::uint16_t>(static_cast<_Float16>(x));
      ASSERT_EQ(f32_to_f16(x), expected) << x;
      ASSERT_EQ(f32_to_f16(-x), expected | 0x8000) << -x;
    }
  }
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(f32_to_bf16(1.0f), 0x3F80);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3F808000u)), 0x3F80);
  EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3F818000u)), 0x3F82);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Shape, ElementsOverflowIsNothing) {
  EXPECT_EQ(Shape({2, 3}).elements(), 6);
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(Shape({1ll << 40, 1ll << 40}).elements(), std::nullopt);
  EXPECT_EQ(Shape({2, 3}).to_string(), "[2, 3]");
  const std::int64_t negative[] = {-1};
  EXPECT_EQ(Shape::from(negative), std::nullopt);
}

}  // namespace
}  // namespace ocellus::tensor
