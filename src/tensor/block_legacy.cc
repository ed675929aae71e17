// The GGUF types with blocks of 32: q4_0, q4_1, q5_0, q5_1, q8_0.
#include <cstring>

#include "tensor/block_bytes.h"
#include "tensor/block_codec.h"
#include "tensor/quantize.h"

namespace ocellus::tensor {
namespace {

// q4_0: d f16, 16 bytes: the low nibbles are values 0 to 15, the high ones 16 to 31.
void dequantize_q4_0(const Byte* block, float* out) noexcept {
  const float d = half_at(block);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((block[2 + i] & 15) - 8);
    out[i + 16] = d * static_cast<float>((block[2 + i] >> 4) - 8);
  }
}

// q4_1: d, m f16, nibbles likewise.
void dequantize_q4_1(const Byte* block, float* out) noexcept {
  const float d = half_at(block), m = half_at(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(block[4 + i] & 15) + m;
    out[i + 16] = d * static_cast<float>(block[4 + i] >> 4) + m;
  }
}

// The fifth bits of q5_0 and q5_1: bit i belongs to value i.
int fifth_bit(const Byte* bits, int i) noexcept { return (bits[i / 8] >> (i % 8) & 1) << 4; }

void dequantize_q5_0(const Byte* block, float* out) noexcept {
  const float d = half_at(block);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(((block[6 + i] & 15) | fifth_bit(block + 2, i)) - 16);
    out[i + 16] = d * static_cast<float>(((block[6 + i] >> 4) | fifth_bit(block + 2, i + 16)) - 16);
  }
}

void dequantize_q5_1(const Byte* block, float* out) noexcept {
  const float d = half_at(block), m = half_at(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((block[8 + i] & 15) | fifth_bit(block + 4, i)) + m;
    out[i + 16] = d * static_cast<float>((block[8 + i] >> 4) | fifth_bit(block + 4, i + 16)) + m;
  }
}

void dequantize_q8_0(const Byte* block, float* out) noexcept {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i)
    out[i] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

void unpack_nibbles(const Byte* q, const Byte* fifth, int bias, std::int8_t* out) noexcept {
  for (int i = 0; i < 32; ++i) {
    const int nibble = i < 16 ? q[i] & 15 : q[i - 16] >> 4;
    const int top = fifth == nullptr ? 0 : (fifth[i / 8] >> (i % 8) & 1) << 4;
    out[i] = to_int8((nibble | top) - bias);
  }
}

void pack_nibbles(const std::int8_t* q, int bias, Byte* nibbles, Byte* fifth) noexcept {
  for (int i = 0; i < 32; ++i) {
    const int value = q[i] + bias;
    set_bits(nibbles[i % 16], (value & 15) << (i / 16 * 4));
    if (fifth != nullptr) set_bits(fifth[i / 8], (value >> 4 & 1) << (i % 8));
  }
}

// x = d q + m is x = d q - dmin with dmin = -m.
std::uint16_t negated(std::uint16_t half) noexcept { return half ^ 0x8000u; }

void unpack_q4_0(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_bits(block);
  unpack_nibbles(block + 2, nullptr, 0, parts.q);  // the bias is the layout's
}
void pack_q4_0(const QuantParts& parts, Byte* block) noexcept {
  put_half(block, parts.d);
  pack_nibbles(parts.q, 0, block + 2, nullptr);
}

void unpack_q4_1(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_bits(block);
  parts.dmin = negated(half_bits(block + 2));
  unpack_nibbles(block + 4, nullptr, 0, parts.q);
}
void pack_q4_1(const QuantParts& parts, Byte* block) noexcept {
  put_half(block, parts.d);
  put_half(block + 2, negated(parts.dmin));
  pack_nibbles(parts.q, 0, block + 4, nullptr);
}

void unpack_q5_0(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_bits(block);
  unpack_nibbles(block + 6, block + 2, 16, parts.q);
}
void pack_q5_0(const QuantParts& parts, Byte* block) noexcept {
  put_half(block, parts.d);
  pack_nibbles(parts.q, 16, block + 6, block + 2);
}

void unpack_q5_1(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_bits(block);
  parts.dmin = negated(half_bits(block + 2));
  unpack_nibbles(block + 8, block + 4, 0, parts.q);
}
void pack_q5_1(const QuantParts& parts, Byte* block) noexcept {
  put_half(block, parts.d);
  put_half(block + 2, negated(parts.dmin));
  pack_nibbles(parts.q, 0, block + 8, block + 4);
}

void unpack_q8_0(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_bits(block);
  for (int i = 0; i < 32; ++i) parts.q[i] = to_int8(block[2 + i]);
}
void pack_q8_0(const QuantParts& parts, Byte* block) noexcept {
  put_half(block, parts.d);
  std::memcpy(block + 2, parts.q, 32);
}

}  // namespace

const BlockCodec kQ4_0Codec = {dequantize_q4_0, quantize_q4_0, unpack_q4_0, pack_q4_0};
const BlockCodec kQ4_1Codec = {dequantize_q4_1, quantize_q4_1, unpack_q4_1, pack_q4_1};
const BlockCodec kQ5_0Codec = {dequantize_q5_0, quantize_q5_0, unpack_q5_0, pack_q5_0};
const BlockCodec kQ5_1Codec = {dequantize_q5_1, quantize_q5_1, unpack_q5_1, pack_q5_1};
const BlockCodec kQ8_0Codec = {dequantize_q8_0, quantize_q8_0, unpack_q8_0, pack_q8_0};

}  // namespace ocellus::tensor
