#include <gtest/gtest.h>

#include <array>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "tensor/quant.h"
#include "tensor/quant_parts.h"

namespace ocellus::tensor {
namespace {

constexpr auto kTypes = [] {
  std::array<DType, kBlockTypes.size()> types{};
  for (std::size_t i = 0; i < types.size(); ++i) types[i] = kBlockTypes[i].dtype;
  return types;
}();

constexpr std::int64_t kValues = 256;  // a whole number of blocks of every type

std::vector<float> back_and_forth(DType type, const std::vector<float>& values) {
  const auto n = static_cast<std::int64_t>(values.size());
  std::vector<std::byte> blocks(values.size() / block_values(type) * block_bytes(type));
  std::vector<float> back(values.size());
  quantize(type, values.data(), n, blocks.data());
  dequantize(type, blocks.data(), n, back.data());
  return back;
}

TEST(QuantParts, SplitAndJoinAreInverse) {
  std::mt19937 random(1);
  for (const DType type : kTypes) {
    const std::size_t size = block_bytes(type);
    for (int i = 0; i < 500; ++i) {
      std::vector<std::byte> block(size), again(size);
      for (std::byte& b : block) b = static_cast<std::byte>(random());
      QuantParts parts;
      unpack_block(type, block.data(), parts);
      pack_block(type, parts, again.data());
      ASSERT_EQ(block, again) << dtype_name(type);
    }
  }
}

// Not one byte more or less, at any address; the same bytes each time.
TEST(Quantize, WritesItsBlocksAndNothingElse) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> values(2 * kValues);
  for (float& x : values) x = normal(random);
  constexpr std::byte kGuard{0xA5};
  for (const DType type : kTypes) {
    SCOPED_TRACE(dtype_name(type));
    const std::size_t size = values.size() / block_values(type) * block_bytes(type);
    std::vector<std::byte> first;
    for (std::size_t shift = 1; shift < 5; ++shift) {
      std::vector<std::byte> bytes(size + 2 * shift, kGuard);
      quantize(type, values.data(), std::ssize(values), bytes.data() + shift);
      for (std::size_t i = 0; i < shift; ++i) {
        ASSERT_EQ(bytes[i], kGuard);
        ASSERT_EQ(bytes[bytes.size() - 1 - i], kGuard);
      }
      const std::vector<std::byte> blocks(bytes.begin() + static_cast<std::ptrdiff_t>(shift),
                                          bytes.end() - static_cast<std::ptrdiff_t>(shift));
      if (first.empty()) first = blocks;
      ASSERT_EQ(blocks, first);
    }
    // A block does not depend on its neighbours.
    std::vector<std::byte> second(size / 2);
    quantize(type, values.data() + kValues, kValues, second.data());
    EXPECT_TRUE(std::equal(second.begin(), second.end(),
                           first.begin() + static_cast<std::ptrdiff_t>(size / 2)));
  }
}

// The relative errors of ggml's own search without an importance matrix on normal values, measured
// over 65,536 of them: ours stay below.
TEST(Quantize, KTypesLoseLessThanTheUsualSearch) {
  struct Case {
    DType type;
    double error;
  };
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> values(65'536);
  double signal = 0;
  for (float& x : values) {
    x = normal(random);
    signal += static_cast<double>(x) * x;
  }
  for (const auto& [type, error] :
       {Case{DType::kQ2_K, 0.2955}, Case{DType::kQ3_K, 0.1501}, Case{DType::kQ4_K, 0.0710},
        Case{DType::kQ5_K, 0.0360}, Case{DType::kQ6_K, 0.0176}}) {
    const std::vector<float> back = back_and_forth(type, values);
    double noise = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
      noise += std::pow(static_cast<double>(values[i]) - back[i], 2);
    EXPECT_LT(std::sqrt(noise / signal), error) << dtype_name(type);
  }
}

// q8's step is the largest of 128 magnitudes over 127; q4 clips where that lowers the error, and so
// loses less than rounding to the whole range would.
TEST(Quantize, LongBlocksLoseWhatTheirStepSays) {
  std::mt19937_64 random(8);
  std::normal_distribution<float> normal;
  std::vector<float> values(65'536);
  for (float& x : values) x = normal(random);
  const std::vector<float> eight = back_and_forth(DType::kQ8, values),
                           four = back_and_forth(DType::kQ4, values);
  for (std::size_t block = 0; block < values.size(); block += 128) {
    float most = 0;
    double whole_range = 0, noise = 0;
    for (std::size_t i = block; i < block + 128; ++i) most = std::max(most, std::fabs(values[i]));
    for (std::size_t i = block; i < block + 128; ++i) {
      ASSERT_LE(std::fabs(values[i] - eight[i]), most / 127 * 0.51f + most * 0x1p-11f);
      const double step = static_cast<double>(most) / 7;
      whole_range += std::pow(values[i] - step * std::nearbyint(values[i] / step), 2);
      noise += std::pow(static_cast<double>(values[i]) - four[i], 2);
    }
    ASSERT_LT(noise, whole_range);
  }
}

TEST(Quantize, ZerosStayZero) {
  for (const DType type : kTypes) {
    for (const float x : back_and_forth(type, std::vector<float>(kValues)))
      ASSERT_EQ(x, 0.0f) << dtype_name(type);
  }
}

// Values of one sign, one value among zeros, the same value everywhere: within a step of the range.
TEST(Quantize, LopsidedBlocksStayInRange) {
  std::vector<float> ramp(kValues), below(kValues), spike(kValues), same(kValues, -0.75f);
  for (int i = 0; i < kValues; ++i) {
    ramp[static_cast<std::size_t>(i)] = static_cast<float>(i) / 256.0f;
    below[static_cast<std::size_t>(i)] = -1.0f - static_cast<float>(i) / 256.0f;
  }
  spike[77] = 1.0f;
  for (const DType type : kTypes) {
    for (const auto& values : {ramp, below, spike, same}) {
      const std::vector<float> back = back_and_forth(type, values);
      float extreme = 0;
      for (const float x : values) extreme = std::max(extreme, std::fabs(x));
      for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_NEAR(back[i], values[i], 0.34f * extreme) << dtype_name(type) << " " << i;
    }
  }
}

TEST(Quantize, WhatCannotBeHeldIsNaNThroughoutItsBlock) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const DType type : kTypes) {
    for (const float wrong : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(), 3e38f,
                              -3e38f, 1e16f, 1e13f}) {
      std::vector<float> values(2 * kValues, 0.25f);
      values[5] = wrong;
      const std::vector<float> back = back_and_forth(type, values);
      const std::size_t block = block_values(type);
      for (std::size_t i = 0; i < block; ++i)
        ASSERT_TRUE(std::isnan(back[i])) << dtype_name(type) << " " << wrong;
      for (std::size_t i = block; i < values.size(); ++i)
        ASSERT_TRUE(std::isfinite(back[i])) << dtype_name(type);
    }
  }
}

// A range beyond f32 leaves nothing to divide by: NaN must not become an integer on the way.
TEST(Quantize, RangesBeyondF32AreNaNAndNoInvalidConversion) {
  for (const DType type : kTypes) {
    std::vector<float> values(kValues, 0.0f);
    for (std::size_t i = 0; i < values.size(); i += 2) {
      values[i] = std::numeric_limits<float>::lowest();
      values[i + 1] = std::numeric_limits<float>::max();
    }
    std::vector<std::byte> blocks(values.size() / block_values(type) * block_bytes(type));
    std::feclearexcept(FE_INVALID);
    quantize(type, values.data(), kValues, blocks.data());
    EXPECT_EQ(std::fetestexcept(FE_INVALID), 0) << dtype_name(type);
    std::vector<float> back(values.size());
    dequantize(type, blocks.data(), kValues, back.data());
    for (const float x : back) ASSERT_TRUE(std::isnan(x)) << dtype_name(type);
  }
}

// From where f16 has only a few steps left down to where it has none: never worse than zeros.
TEST(Quantize, TinyValuesAreNoWorseThanZeros) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (const float scale : {1e-4f, 1e-6f, 1e-8f, 1e-20f, 1e-38f, 1e-42f}) {
    std::vector<float> values(kValues);
    for (float& x : values) x = scale * normal(random);
    for (const DType type :
         {DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
      const std::vector<float> back = back_and_forth(type, values);
      double noise = 0, signal = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        noise += std::pow(static_cast<double>(values[i]) - back[i], 2);
        signal += std::pow(static_cast<double>(values[i]), 2);
      }
      EXPECT_LE(noise, signal * 1.0001) << dtype_name(type) << " " << scale;
    }
  }
}

TEST(Quantize, SpecialScalesExpandAsTheyStand) {
  // q8_0 with scales at the edges of f16: the product is f32's.
  for (const auto& [half, value] : {std::pair<std::uint16_t, float>{0x0001, 0x1p-24f},
                                    {0x83FF, -1023 * 0x1p-24f},
                                    {0x7BFF, 65504.0f},
                                    {0x7C00, std::numeric_limits<float>::infinity()}}) {
    QuantParts parts;
    parts.d = half;
    for (int i = 0; i < 32; ++i) parts.q[i] = static_cast<std::int8_t>(i + 1);
    std::byte block[34];
    pack_block(DType::kQ8_0, parts, block);
    float out[32];
    dequantize(DType::kQ8_0, block, 32, out);
    for (int i = 0; i < 32; ++i) EXPECT_EQ(out[i], value * static_cast<float>(i + 1));
  }
}

}  // namespace
}  // namespace ocellus::tensor
