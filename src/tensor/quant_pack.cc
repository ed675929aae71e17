#include <cstring>

#include "tensor/quant_parts.h"

namespace ocellus::tensor {
namespace {

using Byte = unsigned char;

void put_half(Byte* to, std::uint16_t half) noexcept {
  to[0] = static_cast<Byte>(half);
  to[1] = static_cast<Byte>(half >> 8);
}

// Sets bits in a block that begins as zeros.
void set(Byte& byte, int bits) noexcept { byte = static_cast<Byte>(byte | bits); }

void pack_nibbles(const std::int8_t* q, int bias, Byte* nibbles, Byte* fifth) noexcept {
  for (int i = 0; i < 32; ++i) {
    const int value = q[i] + bias;
    set(nibbles[i % 16], (value & 15) << (i / 16 * 4));
    if (fifth != nullptr) set(fifth[i / 8], (value >> 4 & 1) << (i % 8));
  }
}

void pack_q2_k(const QuantParts& parts, Byte* block) noexcept {
  put_half(block + 80, parts.d);
  put_half(block + 82, parts.dmin);
  for (int i = 0; i < 16; ++i) set(block[i], (parts.scales[i] & 15) | (parts.mins[i] & 15) << 4);
  for (int v = 0; v < 256; ++v)
    set(block[16 + v / 128 * 32 + v % 32], (parts.q[v] & 3) << (v / 32 % 4 * 2));
}

void pack_q3_k(const QuantParts& parts, Byte* block) noexcept {
  Byte* const packed = block + 96;
  put_half(block + 108, parts.d);
  for (int i = 0; i < 16; ++i) {
    const int scale = parts.scales[i] + 32;
    set(packed[i % 8], (scale & 15) << (i / 8 * 4));
    set(packed[8 + i % 4], (scale >> 4 & 3) << (i / 4 * 2));
  }
  for (int v = 0; v < 256; ++v) {
    set(block[32 + v / 128 * 32 + v % 32], (parts.q[v] & 3) << (v / 32 % 4 * 2));
    set(block[v % 32], (parts.q[v] >> 2 & 1) << (v / 32));
  }
}

void pack_q4_or_q5_k(const QuantParts& parts, bool five, Byte* block) noexcept {
  Byte *const packed = block + 4, *const high = block + 16,
              *const nibbles = five ? block + 48 : block + 16;
  put_half(block, parts.d);
  put_half(block + 2, parts.dmin);
  for (int i = 0; i < 4; ++i) {
    set(packed[i], (parts.scales[i] & 63) | (parts.scales[4 + i] >> 4 & 3) << 6);
    set(packed[4 + i], (parts.mins[i] & 63) | (parts.mins[4 + i] >> 4 & 3) << 6);
    set(packed[8 + i], (parts.scales[4 + i] & 15) | (parts.mins[4 + i] & 15) << 4);
  }
  for (int v = 0; v < 256; ++v) {
    const int s = v / 32;
    set(nibbles[s / 2 * 32 + v % 32], (parts.q[v] & 15) << (s % 2 * 4));
    if (five) set(high[v % 32], (parts.q[v] >> 4 & 1) << s);
  }
}

void pack_q6_k(const QuantParts& parts, Byte* block) noexcept {
  put_half(block + 208, parts.d);
  std::memcpy(block + 192, parts.scales, 16);
  for (int v = 0; v < 256; ++v) {
    const int value = parts.q[v] + 32;
    set(block[v / 128 * 64 + v % 64], (value & 15) << (v / 64 % 2 * 4));
    set(block[128 + v / 128 * 32 + v % 32], (value >> 4 & 3) << (v / 32 % 4 * 2));
  }
}

}  // namespace

void pack_block(DType type, const QuantParts& parts, std::byte* bytes) noexcept {
  auto* const block = reinterpret_cast<Byte*>(bytes);
  std::memset(block, 0, block_bytes(type));
  if (block_values(type) < 256) put_half(block, parts.d);
  const std::uint16_t m = parts.dmin ^ 0x8000u;  // unpack_block() turned its sign
  switch (type) {
    case DType::kQ4_0:
      return pack_nibbles(parts.q, 0, block + 2, nullptr);
    case DType::kQ4_1:
      put_half(block + 2, m);
      return pack_nibbles(parts.q, 0, block + 4, nullptr);
    case DType::kQ5_0:
      return pack_nibbles(parts.q, 16, block + 6, block + 2);
    case DType::kQ5_1:
      put_half(block + 2, m);
      return pack_nibbles(parts.q, 0, block + 8, block + 4);
    case DType::kQ2_K:
      return pack_q2_k(parts, block);
    case DType::kQ3_K:
      return pack_q3_k(parts, block);
    case DType::kQ4_K:
    case DType::kQ5_K:
      return pack_q4_or_q5_k(parts, type == DType::kQ5_K, block);
    case DType::kQ6_K:
      return pack_q6_k(parts, block);
    case DType::kQ8:
      std::memcpy(block + 2, parts.q, 128);
      return;
    case DType::kQ4:
      for (int i = 0; i < 128; ++i) set(block[2 + i % 64], (parts.q[i] & 15) << (i / 64 * 4));
      return;
    default:  // q8_0
      std::memcpy(block + 2, parts.q, 32);
  }
}

}  // namespace ocellus::tensor
