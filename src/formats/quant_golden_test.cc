// Block types against the gguf package; here because the values stand in a safetensors file.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>

#include "formats/safetensors.h"
#include "tensor/quant.h"

namespace ocellus::formats {
namespace {

using tensor::DType;

std::string golden_blocks() {
  const char* const source = std::getenv("OCELLUS_SOURCE_DIR");
  EXPECT_NE(source, nullptr);
  std::ifstream file(std::string(source) + "/tests/golden/gguf_blocks.safetensors",
                     std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The k types have no such reference: their error is held against that of the simpler types.
TEST(Quant, RowsRoundToTheReferencesBlocks) {
  const std::string content = golden_blocks();
  const auto parsed = parse_safetensors(std::as_bytes(std::span(content)), "gguf_blocks");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  std::vector<float> rows(parsed->at("rows").data.size() / sizeof(float));
  std::memcpy(rows.data(), parsed->at("rows").data.data(), rows.size() * sizeof(float));
  const auto n = static_cast<std::int64_t>(rows.size());
  for (const DType type : {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0}) {
    const std::string name(tensor::dtype_name(type));
    const auto expected = parsed->at(name + "/rounded").data;
    std::vector<std::byte> found(expected.size());
    tensor::quantize(type, rows.data(), n, found.data());
    EXPECT_TRUE(std::ranges::equal(found, expected)) << name;
  }
}

// Noise as a share of the signal, on rows of a normal distribution.
double noise(DType type, std::span<const float> values) {
  const std::size_t blocks = values.size() / tensor::block_values(type);
  std::vector<std::byte> bytes(blocks * tensor::block_bytes(type));
  std::vector<float> back(values.size());
  const auto n = static_cast<std::int64_t>(values.size());
  tensor::quantize(type, values.data(), n, bytes.data());
  tensor::dequantize(type, bytes.data(), n, back.data());
  double error = 0, signal = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    error += (values[i] - back[i]) * (values[i] - back[i]);
    signal += values[i] * values[i];
  }
  return error / signal;
}

TEST(Quant, KTypesLoseLittle) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<float> values(256 * 64);
  for (float& x : values) x = normal(random);
  EXPECT_LT(noise(DType::kQ8_0, values), 1e-4);
  EXPECT_LT(noise(DType::kQ6_K, values), 4e-4);
  EXPECT_LT(noise(DType::kQ5_K, values), 2e-3);
  EXPECT_LT(noise(DType::kQ4_K, values), noise(DType::kQ4_0, values));
  EXPECT_LT(noise(DType::kQ4_K, values), 6e-3);
  EXPECT_LT(noise(DType::kQ3_K, values), 3e-2);
  EXPECT_LT(noise(DType::kQ2_K, values), 1e-1);
}

TEST(Quant, WhatIsNoNumberDoesNotPassForOne) {
  std::vector<float> values(256, 0.5f);
  values[17] = std::numeric_limits<float>::quiet_NaN();
  for (const DType type : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K, DType::kQ6_K})
    EXPECT_TRUE(std::isnan(noise(type, values))) << tensor::dtype_name(type);
}

TEST(Quant, BlocksExpandToTheReferencesBits) {
  const std::string content = golden_blocks();
  const auto parsed = parse_safetensors(std::as_bytes(std::span(content)), "gguf_blocks");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  for (const DType type :
       {DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
        DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    const std::string name(tensor::dtype_name(type));
    SCOPED_TRACE(name);
    const SafetensorsEntry& blocks = parsed->at(name + "/blocks");
    const SafetensorsEntry& values = parsed->at(name + "/values");
    const auto n = *values.shape.elements();
    ASSERT_EQ(blocks.data.size() / tensor::block_bytes(type) * tensor::block_values(type),
              static_cast<std::size_t>(n));
    std::vector<float> out(static_cast<std::size_t>(n) + 1, 123.0f);
    tensor::dequantize(type, blocks.data.data(), n, out.data());
    EXPECT_EQ(std::memcmp(out.data(), values.data.data(), values.data.size()), 0);
    EXPECT_EQ(out.back(), 123.0f);
  }
}

}  // namespace
}  // namespace ocellus::formats
