#include "tensor/quant_parts.h"

namespace ocellus::tensor {
namespace {

using Byte = unsigned char;

std::uint16_t half_at(const Byte* p) noexcept {
  return static_cast<std::uint16_t>(p[0] | p[1] << 8);
}

std::int8_t small(int value) noexcept { return static_cast<std::int8_t>(value); }

// x = d q + m is x = d q - (-m).
std::uint16_t negated(std::uint16_t half) noexcept { return half ^ 0x8000u; }

void unpack_nibbles(const Byte* q, const Byte* fifth, int bias, std::int8_t* out) noexcept {
  for (int i = 0; i < 32; ++i) {
    const int nibble = i < 16 ? q[i] & 15 : q[i - 16] >> 4;
    const int top = fifth == nullptr ? 0 : (fifth[i / 8] >> (i % 8) & 1) << 4;
    out[i] = small((nibble | top) - bias);
  }
}

void unpack_q2_k(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_at(block + 80);
  parts.dmin = half_at(block + 82);
  for (int i = 0; i < 16; ++i) {
    parts.scales[i] = small(block[i] & 15);
    parts.mins[i] = small(block[i] >> 4);
  }
  for (int v = 0; v < 256; ++v)
    parts.q[v] = small(block[16 + v / 128 * 32 + v % 32] >> (v / 32 % 4 * 2) & 3);
}

void unpack_q3_k(const Byte* block, QuantParts& parts) noexcept {
  const Byte* const packed = block + 96;
  parts.d = half_at(block + 108);
  for (int i = 0; i < 16; ++i) {
    const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
    parts.scales[i] = small((low | (packed[8 + i % 4] >> (i / 4 * 2) & 3) << 4) - 32);
  }
  for (int v = 0; v < 256; ++v) {
    const int low = block[32 + v / 128 * 32 + v % 32] >> (v / 32 % 4 * 2) & 3;
    parts.q[v] = small(low | (block[v % 32] >> (v / 32) & 1) << 2);  // with a bias of 4
  }
}

void unpack_q4_or_q5_k(const Byte* block, bool five, QuantParts& parts) noexcept {
  const Byte *const packed = block + 4, *const high = block + 16,
                    *const nibbles = five ? block + 48 : block + 16;
  parts.d = half_at(block);
  parts.dmin = half_at(block + 2);
  for (int i = 0; i < 4; ++i) {
    parts.scales[i] = small(packed[i] & 63);
    parts.mins[i] = small(packed[4 + i] & 63);
    parts.scales[4 + i] = small((packed[8 + i] & 15) | (packed[i] >> 2 & 0x30));
    parts.mins[4 + i] = small((packed[8 + i] >> 4) | (packed[4 + i] >> 2 & 0x30));
  }
  for (int v = 0; v < 256; ++v) {
    const int s = v / 32;
    const int nibble = nibbles[s / 2 * 32 + v % 32] >> (s % 2 * 4) & 15;
    parts.q[v] = small(nibble | (five ? (high[v % 32] >> s & 1) << 4 : 0));
  }
}

void unpack_q6_k(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_at(block + 208);
  for (int i = 0; i < 16; ++i) parts.scales[i] = small(block[192 + i]);
  for (int v = 0; v < 256; ++v) {
    const int nibble = block[v / 128 * 64 + v % 64] >> (v / 64 % 2 * 4) & 15;
    const int top = block[128 + v / 128 * 32 + v % 32] >> (v / 32 % 4 * 2) & 3;
    parts.q[v] = small((nibble | top << 4) - 32);
  }
}

}  // namespace

QuantLayout quant_layout(DType type) noexcept {
  switch (type) {
    case DType::kQ4_0:
      return {32, 32, 8, 0, 4, 0, false, false};
    case DType::kQ4_1:
      return {32, 32, 0, 0, 4, 0, false, true};
    case DType::kQ5_0:
      return {32, 32, 0, 16, 4, 1, false, false};
    case DType::kQ5_1:
      return {32, 32, 0, 0, 4, 1, false, true};
    case DType::kQ2_K:
      return {256, 16, 0, 0, 2, 0, true, true};
    case DType::kQ3_K:
      return {256, 16, 4, 0, 2, 1, true, false};
    case DType::kQ4_K:
      return {256, 32, 0, 0, 4, 0, true, true};
    case DType::kQ5_K:
      return {256, 32, 0, 0, 4, 1, true, true};
    case DType::kQ6_K:
      return {256, 16, 0, 32, 4, 2, true, false};
    case DType::kQ8:
      return {128, 32, 0, 128, 8, 0, false, false};
    case DType::kQ4:
      return {128, 32, 8, 0, 4, 0, false, false};
    default:  // q8_0
      return {32, 32, 0, 128, 8, 0, false, false};
  }
}

void unpack_block(DType type, const std::byte* bytes, QuantParts& parts) noexcept {
  const auto* const block = reinterpret_cast<const Byte*>(bytes);
  parts.d = half_at(block);
  switch (type) {
    case DType::kQ4_0:
      return unpack_nibbles(block + 2, nullptr, 0, parts.q);  // the bias is the layout's
    case DType::kQ4_1:
      parts.dmin = negated(half_at(block + 2));
      return unpack_nibbles(block + 4, nullptr, 0, parts.q);
    case DType::kQ5_0:
      return unpack_nibbles(block + 6, block + 2, 16, parts.q);
    case DType::kQ5_1:
      parts.dmin = negated(half_at(block + 2));
      return unpack_nibbles(block + 8, block + 4, 0, parts.q);
    case DType::kQ2_K:
      return unpack_q2_k(block, parts);
    case DType::kQ3_K:
      return unpack_q3_k(block, parts);
    case DType::kQ4_K:
    case DType::kQ5_K:
      return unpack_q4_or_q5_k(block, type == DType::kQ5_K, parts);
    case DType::kQ6_K:
      return unpack_q6_k(block, parts);
    case DType::kQ8:
      for (int i = 0; i < 128; ++i) parts.q[i] = small(block[2 + i]);
      return;
    case DType::kQ4:
      for (int i = 0; i < 128; ++i)
        parts.q[i] = small(i < 64 ? block[2 + i] & 15 : block[2 + i - 64] >> 4);
      return;
    default:  // q8_0
      for (int i = 0; i < 32; ++i) parts.q[i] = small(block[2 + i]);
  }
}

}  // namespace ocellus::tensor
