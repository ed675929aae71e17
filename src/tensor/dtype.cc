#include "tensor/dtype.h"

#include <cmath>

namespace ocellus::tensor {

namespace {

struct Layout {
  std::string_view name;
  std::size_t values, bytes;  // of a block
};

// In the order of DType.
constexpr Layout kLayouts[] = {
    {"f32", 1, 4},      {"f16", 1, 2},      {"bf16", 1, 2},     {"i64", 1, 8},
    {"i32", 1, 4},      {"u8", 1, 1},       {"q4_0", 32, 18},   {"q4_1", 32, 20},
    {"q5_0", 32, 22},   {"q5_1", 32, 24},   {"q8_0", 32, 34},   {"q2_k", 256, 84},
    {"q3_k", 256, 110}, {"q4_k", 256, 144}, {"q5_k", 256, 176}, {"q6_k", 256, 210},
    {"q8", 128, 130},   {"q4", 128, 66},
};

const Layout& layout_of(DType type) noexcept { return kLayouts[static_cast<std::size_t>(type)]; }

}  // namespace

std::string_view dtype_name(DType type) noexcept { return layout_of(type).name; }
std::optional<DType> find_dtype(std::string_view name) noexcept {
  for (std::size_t i = 0; i < std::size(kLayouts); ++i) {
    if (kLayouts[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}
std::size_t block_values(DType type) noexcept { return layout_of(type).values; }
std::size_t block_bytes(DType type) noexcept { return layout_of(type).bytes; }

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
