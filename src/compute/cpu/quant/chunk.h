// Quantised weights of 32 rows as the kernels take them.
#pragma once

#include <cstdint>

#include "compute/cpu/isa/blocking.h"

namespace ocellus::compute::cpu {

// Long enough that scaling costs the products little, short enough that a large channel spoils few
// others: at 128 rounding adds 2 to 4 % of the noise that 4-bit weights have anyway.
inline constexpr int kGroup = 128;
inline constexpr int kSubBlock = 32;  // quantised weights are taken apart so many values at a time

// Quantised values of 32 rows: quant_panel.h says how they lie, tensor/quant_parts.h what they
// stand for.
struct QuantChunk {
  const std::uint8_t* data;
  std::int64_t length;  // a multiple of kSubBlock
  int values;           // of a block
  int zero;             // 128 where low is 8
  int low, high;        // bits in the planes: 8, 4 or 2; 0, 1 or 2
  bool scales, mins;
};

}  // namespace ocellus::compute::cpu
