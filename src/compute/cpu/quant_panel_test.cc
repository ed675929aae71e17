// Packed chunks expand, on every instruction set, to what dequantize() makes of the blocks.
#include "compute/cpu/quant_panel.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "tensor/quant.h"

namespace ocellus::compute::cpu {
namespace {

using tensor::DType;

constexpr DType kTypes[] = {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                            DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};

// Bytes of any kind, but for the f16 fields, whose exponent stays finite: NaNs have many spellings.
std::vector<std::byte> random_blocks(DType type, std::size_t blocks, unsigned seed) {
  std::mt19937 random(seed);
  const std::size_t size = tensor::block_bytes(type);
  std::vector<std::byte> bytes(blocks * size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  const tensor::QuantLayout layout = tensor::quant_layout(type);
  std::size_t at = type == DType::kQ2_K   ? 80
                   : type == DType::kQ3_K ? 108
                   : type == DType::kQ6_K ? 208
                                          : 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    for (std::size_t half = 0; half < (layout.mins ? 2u : 1u); ++half)
      bytes[b * size + at + 2 * half + 1] &= std::byte{0xBB};
  }
  return bytes;
}

TEST(QuantPanel, ExpandsToTheBlocksValues) {
  for (const Kernels* kernels : {&scalar_kernels(), avx2_kernels(), avx512_kernels()}) {
    if (kernels == nullptr) continue;
    for (const DType type : kTypes) {
      const int values = tensor::quant_layout(type).values;
      for (const std::int64_t length : {std::int64_t{values}, std::int64_t{kBlockK}}) {
        for (const std::int64_t rows : {1, 7, 32}) {
          SCOPED_TRACE(::testing::Message() << kernels->name << ' ' << tensor::dtype_name(type)
                                            << ' ' << length << ' ' << rows);
          const std::size_t per_row = static_cast<std::size_t>(length / values);
          const auto blocks = random_blocks(type, per_row * static_cast<std::size_t>(rows), 3);
          const std::size_t row_bytes = per_row * tensor::block_bytes(type);
          std::vector<std::byte> chunk(quant_chunk_bytes(type, length));
          pack_quant_chunk(type, blocks.data(), row_bytes, rows, length, chunk.data());
          std::vector<float> found(static_cast<std::size_t>(length * kPanel));
          kernels->expand_quant(quant_chunk(type, chunk.data(), length), found.data());
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

// Few rows multiply chunks as they are: the same bits as by way of f32.
TEST(QuantPanel, TilesEqualThoseOfExpandedChunks) {
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  for (const Kernels* kernels : {&scalar_kernels(), avx2_kernels(), avx512_kernels()}) {
    if (kernels == nullptr) continue;
    for (const DType type : kTypes) {
      const std::size_t per_row = kBlockK / tensor::block_values(type);
      const auto blocks = random_blocks(type, per_row * kPanel, 4);
      std::vector<std::byte> packed(quant_chunk_bytes(type, kBlockK));
      pack_quant_chunk(type, blocks.data(), per_row * tensor::block_bytes(type), kPanel, kBlockK,
                       packed.data());
      const QuantChunk chunk = quant_chunk(type, packed.data(), kBlockK);
      std::vector<float> wide(static_cast<std::size_t>(kBlockK * kPanel));
      kernels->expand_quant(chunk, wide.data());
      for (int rows = 1; rows <= kDirectQuantRows; ++rows) {
        for (const bool add : {false, true}) {
          SCOPED_TRACE(::testing::Message()
                       << kernels->name << ' ' << tensor::dtype_name(type) << ' ' << rows);
          std::vector<float> a(static_cast<std::size_t>(rows * kBlockK));
          for (float& x : a) x = normal(random);
          std::vector<float> expected(static_cast<std::size_t>(rows * kPanel), 0.5f);
          std::vector<float> found = expected;
          kernels->tile(a.data(), rows, Element::kF32, wide.data(), kBlockK, add, expected.data());
          kernels->tile_quant(a.data(), rows, chunk, add, found.data());
          EXPECT_EQ(std::memcmp(found.data(), expected.data(), found.size() * sizeof(float)), 0);
        }
      }
    }
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
