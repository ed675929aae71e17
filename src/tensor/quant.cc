#include "tensor/quant.h"

#include <bit>
#include <cstring>

namespace ocellus::tensor {
namespace {

using Byte = unsigned char;

float half_at(const Byte* p) noexcept {
  return f16_to_f32(static_cast<std::uint16_t>(p[0] | p[1] << 8));
}

// q4_0: d f16, 16 bytes: the low nibbles are values 0 to 15, the high ones 16 to 31.
void q4_0(const Byte* block, float* out) noexcept {
  const float d = half_at(block);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((block[2 + i] & 15) - 8);
    out[i + 16] = d * static_cast<float>((block[2 + i] >> 4) - 8);
  }
}

// q4_1: d, m f16, nibbles likewise.
void q4_1(const Byte* block, float* out) noexcept {
  const float d = half_at(block), m = half_at(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(block[4 + i] & 15) + m;
    out[i + 16] = d * static_cast<float>(block[4 + i] >> 4) + m;
  }
}

// The fifth bits of q5_0 and q5_1: bit i belongs to value i.
int fifth_bit(const Byte* bits, int i) noexcept { return (bits[i / 8] >> (i % 8) & 1) << 4; }

void q5_0(const Byte* block, float* out) noexcept {
  const float d = half_at(block);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(((block[6 + i] & 15) | fifth_bit(block + 2, i)) - 16);
    out[i + 16] = d * static_cast<float>(((block[6 + i] >> 4) | fifth_bit(block + 2, i + 16)) - 16);
  }
}

void q5_1(const Byte* block, float* out) noexcept {
  const float d = half_at(block), m = half_at(block + 2);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((block[8 + i] & 15) | fifth_bit(block + 4, i)) + m;
    out[i + 16] = d * static_cast<float>((block[8 + i] >> 4) | fifth_bit(block + 4, i + 16)) + m;
  }
}

void q8_0(const Byte* block, float* out) noexcept {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i)
    out[i] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

// q2_k: 16 bytes of scale | min << 4 for each 16 values, 64 bytes of 2-bit values (32 bytes hold
// four stretches of 32), d, dmin f16.
void q2_k(const Byte* block, float* out) noexcept {
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
void q3_k(const Byte* block, float* out) noexcept {
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

// q4_k: d, dmin f16, scales, 128 bytes of nibbles: 32 bytes hold two stretches of 32.
void q4_k(const Byte* block, float* out) noexcept {
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
// i of stretch s.
void q5_k(const Byte* block, float* out) noexcept {
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

// q6_k: 128 bytes of nibbles (64 bytes hold two stretches of 64), 64 of two high bits, 16 signed
// scales, d f16.
void q6_k(const Byte* block, float* out) noexcept {
  const Byte *const low = block, *const high = block + 128, *const scales = block + 192;
  const float d = half_at(block + 208);
  for (int v = 0; v < 256; ++v) {
    const int nibble = low[v / 128 * 64 + v % 64] >> (v / 64 % 2 * 4) & 15;
    const int top = high[v / 128 * 32 + v % 32] >> (v / 32 % 4 * 2) & 3;
    const float scale = d * static_cast<float>(static_cast<std::int8_t>(scales[v / 16]));
    out[v] = scale * static_cast<float>((nibble | top << 4) - 32);
  }
}

// q8: d f16, 128 signed bytes.
void q8(const Byte* block, float* out) noexcept {
  const float d = half_at(block);
  for (int i = 0; i < 128; ++i)
    out[i] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

// q4: d f16, 64 bytes: the low nibbles are values 0 to 63, the high ones 64 to 127.
void q4(const Byte* block, float* out) noexcept {
  const float d = half_at(block);
  for (int i = 0; i < 64; ++i) {
    out[i] = d * static_cast<float>((block[2 + i] & 15) - 8);
    out[i + 64] = d * static_cast<float>((block[2 + i] >> 4) - 8);
  }
}

using Expand = void (*)(const Byte*, float*) noexcept;

Expand expander(DType type) noexcept {
  switch (type) {
    case DType::kQ4_0:
      return q4_0;
    case DType::kQ4_1:
      return q4_1;
    case DType::kQ5_0:
      return q5_0;
    case DType::kQ5_1:
      return q5_1;
    case DType::kQ8_0:
      return q8_0;
    case DType::kQ2_K:
      return q2_k;
    case DType::kQ3_K:
      return q3_k;
    case DType::kQ4_K:
      return q4_k;
    case DType::kQ5_K:
      return q5_k;
    case DType::kQ6_K:
      return q6_k;
    case DType::kQ8:
      return q8;
    case DType::kQ4:
      return q4;
    default:
      return nullptr;
  }
}

}  // namespace

void dequantize(DType type, const std::byte* blocks, std::int64_t n, float* out) noexcept {
  if (type == DType::kF32) {
    std::memcpy(out, blocks, static_cast<std::size_t>(n) * sizeof(float));
    return;
  }
  if (type == DType::kF16 || type == DType::kBF16) {
    for (std::int64_t i = 0; i < n; ++i) {
      std::uint16_t bits;
      std::memcpy(&bits, blocks + 2 * i, sizeof(bits));
      out[i] = type == DType::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
    }
    return;
  }
  const Expand expand = expander(type);
  if (expand == nullptr) return;
  const auto values = static_cast<std::int64_t>(block_values(type));
  const auto* block = reinterpret_cast<const Byte*>(blocks);
  for (std::int64_t i = 0; i < n; i += values, block += block_bytes(type)) expand(block, out + i);
}

}  // namespace ocellus::tensor
