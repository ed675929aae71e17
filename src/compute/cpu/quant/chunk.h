// Quantised weights of 32 rows as the kernels take them.
#pragma once

#include <cstdint>
#include <utility>

#include "compute/cpu/isa/blocking.h"
#include "tensor/weight_types.h"

namespace ocellus::compute::cpu {

// Values of activations with one scale. Longer costs products less, shorter loses less: at 128
// rounding adds 2 to 4 % of the noise of 4-bit weights.
inline constexpr int kGroup = 128;
inline constexpr int kSubBlock = 32;  // values of k that block types are unpacked at a time

// Up to kBlockK values of 32 rows in the planes of quant_panel.h.
struct QuantChunk {
  const std::uint8_t* data;
  std::int64_t length;  // a multiple of kSubBlock
  tensor::DType type;   // a block type
};

}  // namespace ocellus::compute::cpu
