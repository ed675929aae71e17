// Element types of tensors.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ocellus::tensor {

// What weights can be (weight_types.h), in the order of its table: the plain floats, two block
// types of our own, the block types of GGUF. Then what other tensors can be.
enum class DType : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ8,
  kQ4,
  kQ8_0,
  kQ6_K,
  kQ5_K,
  kQ5_1,
  kQ5_0,
  kQ4_K,
  kQ4_1,
  kQ4_0,
  kQ3_K,
  kQ2_K,
  kI64,
  kI32,
  kU8,
};

std::string_view dtype_name(DType type) noexcept;  // "f32", "bf16", "i64", "q4_0", "q4_k", "q8" ...
std::optional<DType> find_dtype(std::string_view name) noexcept;  // nothing for another name

// Values per block and bytes per block: 1 and the element size for the plain types.
std::size_t block_values(DType type) noexcept;
std::size_t block_bytes(DType type) noexcept;

constexpr bool is_plain_float(DType type) noexcept { return type <= DType::kBF16; }
constexpr bool is_quantized(DType type) noexcept {
  return type >= DType::kQ8 && type <= DType::kQ2_K;
}
// What weights can be.
constexpr bool is_weight(DType type) noexcept { return type <= DType::kQ2_K; }

// Whether a row of n values is whole blocks.
inline bool whole_blocks(DType type, std::int64_t n) noexcept {
  return n % static_cast<std::int64_t>(block_values(type)) == 0;
}
// Whether a row that is rounded to the type may end inside a block, the rest of which is zero: q8
// and q4, which no GGUF file has.
bool may_end_inside(DType type) noexcept;
// Bytes of n values, which are whole blocks.
inline std::size_t bytes_of(DType type, std::int64_t n) noexcept {
  return static_cast<std::size_t>(n) / block_values(type) * block_bytes(type);
}

// IEEE 754 binary16 and bfloat16 to f32: exact. From f32: round to nearest, ties to even; NaN stays
// NaN.
float f16_to_f32(std::uint16_t bits) noexcept;
std::uint16_t f32_to_f16(float value) noexcept;
inline float bf16_to_f32(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}
std::uint16_t f32_to_bf16(float value) noexcept;

}  // namespace ocellus::tensor
