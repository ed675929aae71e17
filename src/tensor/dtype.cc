#include "tensor/dtype.h"

#include <cmath>

#include "tensor/weight_types.h"

namespace ocellus::tensor {

namespace {

struct IntegerType {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};
constexpr IntegerType kIntegerTypes[] = {
    {DType::kI64, "i64", 8}, {DType::kI32, "i32", 4}, {DType::kU8, "u8", 1}};

const IntegerType& integer_type(DType type) noexcept {
  return kIntegerTypes[static_cast<std::size_t>(type) - kWeightTypeCount];
}

}  // namespace

std::string_view dtype_name(DType type) noexcept {
  return is_weight(type) ? weight_type(type).name : integer_type(type).name;
}
std::optional<DType> find_dtype(std::string_view name) noexcept {
  if (const WeightTypeInfo* const weight = find_weight_type(name)) return weight->dtype;
  for (const IntegerType& type : kIntegerTypes) {
    if (type.name == name) return type.dtype;
  }
  return std::nullopt;
}
std::size_t block_values(DType type) noexcept {
  return is_weight(type) ? weight_type(type).values : 1;
}
std::size_t block_bytes(DType type) noexcept {
  return is_weight(type) ? weight_type(type).bytes : integer_type(type).bytes;
}
bool may_end_inside(DType type) noexcept {
  return is_weight(type) && weight_type(type).may_end_inside;
}

const WeightTypeInfo* find_weight_type(std::string_view name) noexcept {
  for (const WeightTypeInfo& type : kWeightTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

float f16_to_f32(std::uint16_t bits) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1Fu;
  const std::uint32_t mantissa = bits & 0x3FFu;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000u | (mantissa << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  // Subnormal: mantissa times 2^-24, exact in f32.
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign != 0 ? -magnitude : magnitude;
}

std::uint16_t f32_to_f16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return sign | 0x7E00u;   // NaN, quiet
  if (magnitude >= 0x477FF000u) return sign | 0x7C00u;  // rounds beyond 65504: infinity
  if (magnitude < 0x38800000u) {                        // below 2^-14: subnormal or zero
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24f;
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::nearbyint(scaled)));
  }
  const std::uint32_t rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

std::uint16_t f32_to_bf16(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace ocellus::tensor
