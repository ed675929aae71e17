// Block types against the gguf package; here because the values stand in a safetensors file.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "formats/safetensors.h"
#include "tensor/quant.h"

namespace ocellus::formats {
namespace {

using tensor::DType;

TEST(Quant, BlocksExpandToTheReferencesBits) {
  const char* const source = std::getenv("OCELLUS_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  std::ifstream file(std::string(source) + "/tests/golden/gguf_blocks.safetensors",
                     std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
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
