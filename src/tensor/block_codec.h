// What can be done with one block of a block type.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ocellus::tensor {

// A block's integers and scales. The values that they stand for: QuantLayout.
struct QuantParts {
  std::uint16_t d = 0, dmin = 0;  // f16
  std::int8_t scales[16] = {};
  std::int8_t mins[16] = {};
  std::int8_t q[256] = {};
};

// Any thread; no function fails but quantize().
struct BlockCodec {
  // The block's values in f32, bit for bit the reference's.
  void (*dequantize)(const unsigned char* block, float* out) noexcept;
  // The parts of a block of finite values; false where a scale goes beyond what f16 holds. `parts`
  // is empty before.
  bool (*quantize)(const float* values, QuantParts& parts) noexcept;
  // To parts and back, bit for bit. pack() begins with a block of zeros.
  void (*unpack)(const unsigned char* block, QuantParts& parts) noexcept;
  void (*pack)(const QuantParts& parts, unsigned char* block) noexcept;
};

extern const BlockCodec kQ8Codec, kQ4Codec;
extern const BlockCodec kQ8_0Codec, kQ5_1Codec, kQ5_0Codec, kQ4_1Codec, kQ4_0Codec;
extern const BlockCodec kQ6_KCodec, kQ5_KCodec, kQ4_KCodec, kQ3_KCodec, kQ2_KCodec;

}  // namespace ocellus::tensor
