// Reading and writing the bytes of blocks.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace ocellus::tensor {

using Byte = unsigned char;

inline std::uint16_t half_bits(const Byte* p) noexcept {
  return static_cast<std::uint16_t>(p[0] | p[1] << 8);
}
inline float half_at(const Byte* p) noexcept { return f16_to_f32(half_bits(p)); }
inline void put_half(Byte* to, std::uint16_t half) noexcept {
  to[0] = static_cast<Byte>(half);
  to[1] = static_cast<Byte>(half >> 8);
}
// Sets bits in a block that begins as zeros.
inline void set_bits(Byte& byte, int bits) noexcept { byte = static_cast<Byte>(byte | bits); }

inline std::int8_t to_int8(int value) noexcept { return static_cast<std::int8_t>(value); }

}  // namespace ocellus::tensor
