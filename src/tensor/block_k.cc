// The k types of GGUF, with blocks of 256: q2_k, q3_k, q4_k, q5_k, q6_k.
#include <cstring>

#include "tensor/block_bytes.h"
#include "tensor/block_codec.h"
#include "tensor/quantize.h"

namespace ocellus::tensor {
namespace {

// q2_k: 16 bytes of scale | min << 4 for each 16 values, 64 bytes of 2-bit values (32 bytes hold
// four sub-blocks of 32), d, dmin f16.
void dequantize_q2_k(const Byte* block, float* out) noexcept {
  const Byte* const q = block + 16;
  const float d = half_at(block + 80), dmin = half_at(block + 82);
  for (int v = 0; v < 256; ++v) {
    const Byte scale = block[v / 16];
    const int value = q[v / 128 * 32 + v % 32] >> (v / 32 % 4 * 2) & 3;
    out[v] = d * static_cast<float>(scale & 15) * static_cast<float>(value) -
             dmin * static_cast<float>(scale >> 4);
  }
}

// q3_k: 32 bytes of high bits, 64 of 2-bit values, 12 of sixteen 6-bit scales, d f16.
void dequantize_q3_k(const Byte* block, float* out) noexcept {
  const Byte *const high = block, *const q = block + 32, *const packed = block + 96;
  const float d = half_at(block + 108);
  float scales[16];
  for (int i = 0; i < 16; ++i) {
    const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
    const int top = packed[8 + i % 4] >> (i / 4 * 2) & 3;
    scales[i] = d * static_cast<float>((low | top << 4) - 32);
  }
  for (int v = 0; v < 256; ++v) {
    const int value = q[v / 128 * 32 + v % 32] >> (v / 32 % 4 * 2) & 3;
    const int missing = (high[v % 32] >> (v / 32) & 1) != 0 ? 0 : 4;
    out[v] = scales[v / 16] * static_cast<float>(value - missing);
  }
}

// The eight 6-bit scales and mins of q4_k and q5_k, in 12 bytes.
void scales_and_mins(const Byte* packed, float d, float dmin, float* scales, float* mins) noexcept {
  for (int i = 0; i < 4; ++i) {
    scales[i] = d * static_cast<float>(packed[i] & 63);
    mins[i] = dmin * static_cast<float>(packed[4 + i] & 63);
    scales[4 + i] = d * static_cast<float>((packed[8 + i] & 15) | (packed[i] >> 2 & 0x30));
    mins[4 + i] = dmin * static_cast<float>((packed[8 + i] >> 4) | (packed[4 + i] >> 2 & 0x30));
  }
}

// q4_k: d, dmin f16, scales, 128 bytes of nibbles: 32 bytes hold two sub-blocks of 32.
void dequantize_q4_k(const Byte* block, float* out) noexcept {
  float scales[8], mins[8];
  scales_and_mins(block + 4, half_at(block), half_at(block + 2), scales, mins);
  for (int s = 0; s < 8; ++s) {
    const Byte* const q = block + 16 + s / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int value = s % 2 == 0 ? q[i] & 15 : q[i] >> 4;
      out[s * 32 + i] = scales[s] * static_cast<float>(value) - mins[s];
    }
  }
}

// q5_k: the same with 32 bytes of fifth bits before the nibbles: bit s of byte i belongs to value
// i of sub-block s.
void dequantize_q5_k(const Byte* block, float* out) noexcept {
  float scales[8], mins[8];
  scales_and_mins(block + 4, half_at(block), half_at(block + 2), scales, mins);
  const Byte* const high = block + 16;
  for (int s = 0; s < 8; ++s) {
    const Byte* const q = block + 48 + s / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int value = (s % 2 == 0 ? q[i] & 15 : q[i] >> 4) | (high[i] >> s & 1) << 4;
      out[s * 32 + i] = scales[s] * static_cast<float>(value) - mins[s];
    }
  }
}

// q6_k: 128 bytes of nibbles (64 bytes hold two sub-blocks of 64), 64 of two high bits, 16 signed
// scales, d f16.
void dequantize_q6_k(const Byte* block, float* out) noexcept {
  const Byte *const low = block, *const high = block + 128, *const scales = block + 192;
  const float d = half_at(block + 208);
  for (int v = 0; v < 256; ++v) {
    const int nibble = low[v / 128 * 64 + v % 64] >> (v / 64 % 2 * 4) & 15;
    const int top = high[v / 128 * 32 + v % 32] >> (v / 32 % 4 * 2) & 3;
    const float scale = d * static_cast<float>(static_cast<std::int8_t>(scales[v / 16]));
    out[v] = scale * static_cast<float>((nibble | top << 4) - 32);
  }
}

void unpack_q2_k(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_bits(block + 80);
  parts.dmin = half_bits(block + 82);
  for (int i = 0; i < 16; ++i) {
    parts.scales[i] = to_int8(block[i] & 15);
    parts.mins[i] = to_int8(block[i] >> 4);
  }
  for (int v = 0; v < 256; ++v)
    parts.q[v] = to_int8(block[16 + v / 128 * 32 + v % 32] >> (v / 32 % 4 * 2) & 3);
}

void unpack_q3_k(const Byte* block, QuantParts& parts) noexcept {
  const Byte* const packed = block + 96;
  parts.d = half_bits(block + 108);
  for (int i = 0; i < 16; ++i) {
    const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
    parts.scales[i] = to_int8((low | (packed[8 + i % 4] >> (i / 4 * 2) & 3) << 4) - 32);
  }
  for (int v = 0; v < 256; ++v) {
    const int low = block[32 + v / 128 * 32 + v % 32] >> (v / 32 % 4 * 2) & 3;
    parts.q[v] = to_int8(low | (block[v % 32] >> (v / 32) & 1) << 2);  // with a bias of 4
  }
}

void unpack_q4_or_q5_k(const Byte* block, bool five, QuantParts& parts) noexcept {
  const Byte *const packed = block + 4, *const high = block + 16,
                    *const nibbles = five ? block + 48 : block + 16;
  parts.d = half_bits(block);
  parts.dmin = half_bits(block + 2);
  for (int i = 0; i < 4; ++i) {
    parts.scales[i] = to_int8(packed[i] & 63);
    parts.mins[i] = to_int8(packed[4 + i] & 63);
    parts.scales[4 + i] = to_int8((packed[8 + i] & 15) | (packed[i] >> 2 & 0x30));
    parts.mins[4 + i] = to_int8((packed[8 + i] >> 4) | (packed[4 + i] >> 2 & 0x30));
  }
  for (int v = 0; v < 256; ++v) {
    const int s = v / 32;
    const int nibble = nibbles[s / 2 * 32 + v % 32] >> (s % 2 * 4) & 15;
    parts.q[v] = to_int8(nibble | (five ? (high[v % 32] >> s & 1) << 4 : 0));
  }
}

void unpack_q6_k(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_bits(block + 208);
  for (int i = 0; i < 16; ++i) parts.scales[i] = to_int8(block[192 + i]);
  for (int v = 0; v < 256; ++v) {
    const int nibble = block[v / 128 * 64 + v % 64] >> (v / 64 % 2 * 4) & 15;
    const int top = block[128 + v / 128 * 32 + v % 32] >> (v / 32 % 4 * 2) & 3;
    parts.q[v] = to_int8((nibble | top << 4) - 32);
  }
}

void pack_q2_k(const QuantParts& parts, Byte* block) noexcept {
  put_half(block + 80, parts.d);
  put_half(block + 82, parts.dmin);
  for (int i = 0; i < 16; ++i)
    set_bits(block[i], (parts.scales[i] & 15) | (parts.mins[i] & 15) << 4);
  for (int v = 0; v < 256; ++v)
    set_bits(block[16 + v / 128 * 32 + v % 32], (parts.q[v] & 3) << (v / 32 % 4 * 2));
}

void pack_q3_k(const QuantParts& parts, Byte* block) noexcept {
  Byte* const packed = block + 96;
  put_half(block + 108, parts.d);
  for (int i = 0; i < 16; ++i) {
    const int scale = parts.scales[i] + 32;
    set_bits(packed[i % 8], (scale & 15) << (i / 8 * 4));
    set_bits(packed[8 + i % 4], (scale >> 4 & 3) << (i / 4 * 2));
  }
  for (int v = 0; v < 256; ++v) {
    set_bits(block[32 + v / 128 * 32 + v % 32], (parts.q[v] & 3) << (v / 32 % 4 * 2));
    set_bits(block[v % 32], (parts.q[v] >> 2 & 1) << (v / 32));
  }
}

void pack_q4_or_q5_k(const QuantParts& parts, bool five, Byte* block) noexcept {
  Byte *const packed = block + 4, *const high = block + 16,
              *const nibbles = five ? block + 48 : block + 16;
  put_half(block, parts.d);
  put_half(block + 2, parts.dmin);
  for (int i = 0; i < 4; ++i) {
    set_bits(packed[i], (parts.scales[i] & 63) | (parts.scales[4 + i] >> 4 & 3) << 6);
    set_bits(packed[4 + i], (parts.mins[i] & 63) | (parts.mins[4 + i] >> 4 & 3) << 6);
    set_bits(packed[8 + i], (parts.scales[4 + i] & 15) | (parts.mins[4 + i] & 15) << 4);
  }
  for (int v = 0; v < 256; ++v) {
    const int s = v / 32;
    set_bits(nibbles[s / 2 * 32 + v % 32], (parts.q[v] & 15) << (s % 2 * 4));
    if (five) set_bits(high[v % 32], (parts.q[v] >> 4 & 1) << s);
  }
}

void pack_q6_k(const QuantParts& parts, Byte* block) noexcept {
  put_half(block + 208, parts.d);
  std::memcpy(block + 192, parts.scales, 16);
  for (int v = 0; v < 256; ++v) {
    const int value = parts.q[v] + 32;
    set_bits(block[v / 128 * 64 + v % 64], (value & 15) << (v / 64 % 2 * 4));
    set_bits(block[128 + v / 128 * 32 + v % 32], (value >> 4 & 3) << (v / 32 % 4 * 2));
  }
}

void unpack_q4_k(const Byte* block, QuantParts& parts) noexcept {
  unpack_q4_or_q5_k(block, false, parts);
}
void pack_q4_k(const QuantParts& parts, Byte* block) noexcept {
  pack_q4_or_q5_k(parts, false, block);
}
void unpack_q5_k(const Byte* block, QuantParts& parts) noexcept {
  unpack_q4_or_q5_k(block, true, parts);
}
void pack_q5_k(const QuantParts& parts, Byte* block) noexcept {
  pack_q4_or_q5_k(parts, true, block);
}

}  // namespace

const BlockCodec kQ2_KCodec = {dequantize_q2_k, quantize_q2_k, unpack_q2_k, pack_q2_k};
const BlockCodec kQ3_KCodec = {dequantize_q3_k, quantize_q3_k, unpack_q3_k, pack_q3_k};
const BlockCodec kQ4_KCodec = {dequantize_q4_k, quantize_q4_k, unpack_q4_k, pack_q4_k};
const BlockCodec kQ5_KCodec = {dequantize_q5_k, quantize_q5_k, unpack_q5_k, pack_q5_k};
const BlockCodec kQ6_KCodec = {dequantize_q6_k, quantize_q6_k, unpack_q6_k, pack_q6_k};

}  // namespace ocellus::tensor
