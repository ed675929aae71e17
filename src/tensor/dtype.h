// Element types of tensors, as files spell them and as kernels see them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ocellus::tensor {

// Block-quantised types (Q8_0, Q4_K ...) join this list with their block sizes; every size
// computation goes through row_bytes(), so that they need no change elsewhere.
enum class DType : std::uint8_t { kF32, kF16, kBF16, kI64, kI32, kU8 };

std::string_view dtype_name(DType type) noexcept;  // "f32", "f16", "bf16", "i64", "i32", "u8"

// Values per block and bytes per block: 1 and the element size for the plain types.
std::size_t block_values(DType type) noexcept;
std::size_t block_bytes(DType type) noexcept;

// IEEE 754 binary16 and bfloat16 to f32: exact. From f32: round to nearest, ties to even; NaN stays
// NaN.
float f16_to_f32(std::uint16_t bits) noexcept;
std::uint16_t f32_to_f16(float value) noexcept;
inline float bf16_to_f32(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
std::uint16_t f32_to_bf16(float value) noexcept;

}  // namespace ocellus::tensor
