// The table of weight types: every row is complete, and every name and number leads back to it.
#include "tensor/weight_types.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "tensor/quant.h"
#include "tensor/quant_parts.h"

namespace ocellus::tensor {
namespace {

TEST(WeightTypes, NamesAndNumbersLeadBackToTheirRow) {
  std::set<std::string_view> names;
  std::set<std::uint32_t> numbers, file_types;
  for (const WeightTypeInfo& row : kWeightTypes) {
    SCOPED_TRACE(row.name);
    EXPECT_TRUE(names.insert(row.name).second);
    EXPECT_EQ(find_weight_type(row.name), &row);
    EXPECT_EQ(find_dtype(row.name), row.dtype);
    EXPECT_EQ(dtype_name(row.dtype), row.name);
    EXPECT_EQ(dtype_of(row.option), row.dtype);
    EXPECT_EQ(&weight_type(row.dtype), &row);
    EXPECT_TRUE(is_weight(row.dtype));
    EXPECT_NE(is_plain_float(row.dtype), is_quantized(row.dtype));
    if (!row.gguf) continue;
    EXPECT_TRUE(numbers.insert(row.gguf->type).second);
    EXPECT_TRUE(file_types.insert(row.gguf->file_type).second);
  }
  EXPECT_EQ(dtype_of(WeightType::kAuto), std::nullopt);
  EXPECT_EQ(find_weight_type("q9"), nullptr);
  for (const DType integer : {DType::kI64, DType::kI32, DType::kU8}) {
    EXPECT_FALSE(is_weight(integer));
    EXPECT_EQ(find_dtype(dtype_name(integer)), integer);
  }
}

TEST(WeightTypes, SmallerBlocksEndAtSingleValues) {
  for (const WeightTypeInfo& row : kBlockTypes) {
    DType type = row.dtype;
    for (std::size_t steps = 0; block_values(type) > 1; ++steps) {
      ASSERT_LT(steps, kWeightTypeCount) << row.name;
      const DType next = weight_type(type).smaller_blocks;
      ASSERT_LT(block_values(next), block_values(type)) << row.name;
      type = next;
    }
    EXPECT_EQ(type, DType::kF16) << row.name;
  }
}

// The parts of a block and the layout say the same as the codec's own expansion.
TEST(WeightTypes, PartsAndLayoutGiveTheValuesOfTheBlock) {
  std::mt19937 random(1);
  for (const WeightTypeInfo& row : kBlockTypes) {
    SCOPED_TRACE(row.name);
    std::vector<float> values(row.values), expected(row.values);
    std::normal_distribution<float> normal;
    for (float& x : values) x = normal(random);
    std::vector<std::byte> block(row.bytes);
    quantize(row.dtype, values.data(), static_cast<std::int64_t>(row.values), block.data());
    dequantize(row.dtype, block.data(), static_cast<std::int64_t>(row.values), expected.data());
    QuantParts parts;
    unpack_block(row.dtype, block.data(), parts);
    const QuantLayout& layout = row.layout;
    for (std::size_t i = 0; i < row.values; ++i) {
      const std::size_t at = i / static_cast<std::size_t>(layout.sub);
      const int stored = parts.q[i] + layout.offset;
      ASSERT_GE(stored, 0);
      ASSERT_LT(stored, 1 << (layout.low + layout.high));
      float value = f16_to_f32(parts.d);
      if (layout.scales) value *= static_cast<float>(parts.scales[at]);
      value *= static_cast<float>(parts.q[i] - layout.bias);
      if (layout.mins) {
        float min = f16_to_f32(parts.dmin);
        if (layout.scales) min *= static_cast<float>(parts.mins[at]);
        value -= min;
      }
      ASSERT_EQ(value, expected[i]) << i;
    }
  }
}

}  // namespace
}  // namespace ocellus::tensor
