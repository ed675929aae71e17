// A block of a quantised type taken apart: small integers and their scales.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace ocellus::tensor {

// Values are  d * scale * (q - bias) - dmin * min  with one scale (and min) for each `sub` values;
// types without scales have 1 for them, types without mins have none. Every product and the
// difference is f32, in this order, so they are dequantize()'s values.
struct QuantLayout {
  int values;     // of a block: 32, 128 or 256
  int sub;        // values of one scale: 16 or 32; 32 also where a whole block has one
  int bias;       // of q
  int offset;     // q + offset is not negative and has low + high bits
  int low, high;  // 2, 4 or 8 and 0, 1 or 2
  bool scales;
  bool mins;

  int zero() const { return bias + offset; }  // what q + offset is for the value 0
};

// For a quantised type.
QuantLayout quant_layout(DType type) noexcept;

struct QuantParts {
  std::uint16_t d = 0, dmin = 0;  // f16
  std::int8_t scales[16] = {};
  std::int8_t mins[16] = {};
  std::int8_t q[256] = {};
};

// Takes one block of a quantised type apart.
void unpack_block(DType type, const std::byte* block, QuantParts& parts) noexcept;

// The reverse: parts in the ranges that unpack_block() gives become its block again, bit for bit.
void pack_block(DType type, const QuantParts& parts, std::byte* block) noexcept;

}  // namespace ocellus::tensor
