// Our own types, with blocks of 128: q8, q4.
#include <cstring>

#include "tensor/block_bytes.h"
#include "tensor/block_codec.h"
#include "tensor/quantize.h"

namespace ocellus::tensor {
namespace {

// q8: d f16, 128 signed bytes.
void dequantize_q8(const Byte* block, float* out) noexcept {
  const float d = half_at(block);
  for (int i = 0; i < 128; ++i)
    out[i] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

// q4: d f16, 64 bytes: the low nibbles are values 0 to 63, the high ones 64 to 127.
void dequantize_q4(const Byte* block, float* out) noexcept {
  const float d = half_at(block);
  for (int i = 0; i < 64; ++i) {
    out[i] = d * static_cast<float>((block[2 + i] & 15) - 8);
    out[i + 64] = d * static_cast<float>((block[2 + i] >> 4) - 8);
  }
}

void unpack_q8(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_bits(block);
  for (int i = 0; i < 128; ++i) parts.q[i] = to_int8(block[2 + i]);
}
void pack_q8(const QuantParts& parts, Byte* block) noexcept {
  put_half(block, parts.d);
  std::memcpy(block + 2, parts.q, 128);
}

void unpack_q4(const Byte* block, QuantParts& parts) noexcept {
  parts.d = half_bits(block);
  for (int i = 0; i < 128; ++i)
    parts.q[i] = to_int8(i < 64 ? block[2 + i] & 15 : block[2 + i - 64] >> 4);
}
void pack_q4(const QuantParts& parts, Byte* block) noexcept {
  put_half(block, parts.d);
  for (int i = 0; i < 128; ++i) set_bits(block[2 + i % 64], (parts.q[i] & 15) << (i / 64 * 4));
}

}  // namespace

const BlockCodec kQ8Codec = {dequantize_q8, quantize_q8, unpack_q8, pack_q8};
const BlockCodec kQ4Codec = {dequantize_q4, quantize_q4, unpack_q4, pack_q4};

}  // namespace ocellus::tensor
