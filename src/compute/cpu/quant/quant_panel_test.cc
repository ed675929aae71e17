// Packed chunks expand, on every instruction set, to what dequantize() makes of the blocks.
#include "compute/cpu/quant/quant_panel.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "compute/cpu/gemm/int8_kernels.h"
#include "compute/cpu/testing/blocks.h"
#include "tensor/quant.h"

namespace ocellus::compute::cpu {
namespace {

using tensor::DType;

TEST(QuantPanel, TakesNoMoreThanTheFileDoes) {
  for (const DType type : testing::kBlockTypes) {
    const std::size_t file =
        kPanel * kBlockK / tensor::block_values(type) * tensor::block_bytes(type);
    // The 6-bit scales of these lie in bytes here, and the 4-bit ones.
    const std::size_t more = type == DType::kQ2_K                           ? 16
                             : type == DType::kQ3_K                         ? 4
                             : type == DType::kQ4_K || type == DType::kQ5_K ? 4
                                                                            : 0;
    EXPECT_EQ(quant_chunk_bytes(type, kBlockK), file + kPanel * more) << tensor::dtype_name(type);
    EXPECT_EQ(quant_chunk_bytes(type, kBlockK) % 64, 0u);
  }
}

TEST(QuantPanel, ExpandsToTheBlocksValues) {
  for (const Int8Kernels* kernels :
       {&scalar_int8_kernels(), avx2_int8_kernels(), avx512_int8_kernels()}) {
    if (kernels == nullptr) continue;
    for (const DType type : testing::kBlockTypes) {
      const auto values = static_cast<int>(tensor::block_values(type));
      for (const std::int64_t length : {std::int64_t{values}, std::int64_t{kBlockK}}) {
        for (const std::int64_t rows : {1, 7, 32}) {
          SCOPED_TRACE(::testing::Message() << kernels->name << ' ' << tensor::dtype_name(type)
                                            << ' ' << length << ' ' << rows);
          const std::size_t per_row = static_cast<std::size_t>(length / values);
          const auto blocks =
              testing::random_blocks(type, per_row * static_cast<std::size_t>(rows), 3, false);
          const std::size_t row_bytes = per_row * tensor::block_bytes(type);
          std::vector<std::byte> chunk(quant_chunk_bytes(type, length));
          pack_quant_chunk(type, blocks.data(), row_bytes, rows, length, chunk.data());
          std::vector<float> found(static_cast<std::size_t>(length * kPanel));
          kernels->expand(quant_chunk(type, chunk.data(), length), found.data());
          std::vector<float> expected(static_cast<std::size_t>(length));
          for (std::int64_t row = 0; row < rows; ++row) {
            tensor::dequantize(type, blocks.data() + static_cast<std::size_t>(row) * row_bytes,
                               length, expected.data());
            for (std::int64_t k = 0; k < length; ++k) {
              const float& value = found[static_cast<std::size_t>(k * kPanel + row)];
              ASSERT_EQ(std::memcmp(&value, &expected[static_cast<std::size_t>(k)], 4), 0)
                  << row << ' ' << k << ' ' << value << ' '
                  << expected[static_cast<std::size_t>(k)];
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
