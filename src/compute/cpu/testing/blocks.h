// Quantised weights for tests: any blocks, packed.
#pragma once

#include <array>
#include <random>
#include <string>
#include <vector>

#include "compute/cpu/quant/quant_panel.h"
#include "tensor/quant.h"

namespace ocellus::compute::cpu::testing {

// Every block type of tensor/weight_types.h.
inline constexpr auto kBlockTypes = [] {
  std::array<tensor::DType, tensor::kBlockTypes.size()> types{};
  for (std::size_t i = 0; i < types.size(); ++i) types[i] = tensor::kBlockTypes[i].dtype;
  return types;
}();

// Bytes of any kind, but for the f16 fields: finite, or (`usual`) of ordinary size.
inline std::vector<std::byte> random_blocks(tensor::DType type, std::size_t blocks, unsigned seed,
                                            bool usual) {
  std::mt19937 random(seed);
  const std::size_t size = tensor::block_bytes(type);
  std::vector<std::byte> bytes(blocks * size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  const std::size_t at = type == tensor::DType::kQ2_K   ? 80
                         : type == tensor::DType::kQ3_K ? 108
                         : type == tensor::DType::kQ6_K ? 208
                                                        : 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    for (std::size_t half = 0; half < (tensor::quant_layout(type).mins ? 2u : 1u); ++half) {
      std::byte& high = bytes[b * size + at + 2 * half + 1];
      // 2^-6 to 2^-3 in magnitude, of either sign.
      high = usual ? (high & std::byte{0x87}) | std::byte{0x28} : high & std::byte{0xBB};
    }
  }
  return bytes;
}

// One chunk of 32 rows, and its values [length][32] as dequantize() has them.
struct TestChunk {
  TestChunk(tensor::DType type, std::int64_t length, unsigned seed, bool usual = true) {
    const auto values = static_cast<std::int64_t>(tensor::block_values(type));
    const std::int64_t whole = (length + values - 1) / values * values;
    const auto per_row = static_cast<std::size_t>(whole / values);
    const auto blocks = random_blocks(type, per_row * kPanel, seed, usual);
    const std::size_t row_bytes = per_row * tensor::block_bytes(type);
    bytes.resize(quant_chunk_bytes(type, length));
    pack_quant_chunk(type, blocks.data(), row_bytes, kPanel, length, bytes.data());
    chunk = quant_chunk(type, bytes.data(), length);
    values_.resize(static_cast<std::size_t>(length * kPanel));
    std::vector<float> row(static_cast<std::size_t>(whole));
    for (std::int64_t r = 0; r < kPanel; ++r) {
      tensor::dequantize(type, blocks.data() + static_cast<std::size_t>(r) * row_bytes, whole,
                         row.data());
      for (std::int64_t k = 0; k < length; ++k)
        values_[static_cast<std::size_t>(k * kPanel + r)] = row[static_cast<std::size_t>(k)];
    }
  }
  double at(std::int64_t k, std::int64_t o) const {
    return static_cast<double>(values_[static_cast<std::size_t>(k * kPanel + o)]);
  }

  std::vector<std::byte> bytes;
  QuantChunk chunk;

 private:
  std::vector<float> values_;
};

}  // namespace ocellus::compute::cpu::testing
