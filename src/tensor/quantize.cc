#include "tensor/quantize.h"

#include <cmath>
#include <cstring>

#include "tensor/quant.h"

namespace ocellus::tensor {
namespace {

bool all_finite(const float* x, std::int64_t n) noexcept {
  for (std::int64_t i = 0; i < n; ++i)
    if (!std::isfinite(x[i])) return false;
  return true;
}

// Every value of the block is a product with d.
void poison(DType type, QuantParts& parts) noexcept {
  parts = {};
  parts.d = 0x7E00;                                                       // NaN
  if (type == DType::kQ4_1 || type == DType::kQ5_1) parts.dmin = 0x8000;  // a min of +0
}

}  // namespace

float inverse(float d) noexcept {
  const float inverted = d == 0.0f ? 0.0f : 1.0f / d;
  return std::isfinite(inverted) ? inverted : 0.0f;
}

void quantize(DType type, const float* values, std::int64_t n, std::byte* blocks) noexcept {
  if (type == DType::kF32) {
    std::memcpy(blocks, values, static_cast<std::size_t>(n) * sizeof(float));
    return;
  }
  if (type == DType::kF16 || type == DType::kBF16) {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::uint16_t bits =
          type == DType::kF16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
      std::memcpy(blocks + 2 * i, &bits, sizeof(bits));
    }
    return;
  }
  if (!is_quantized(type)) return;
  const auto size = static_cast<std::int64_t>(block_values(type));
  QuantParts parts;
  for (std::int64_t i = 0; i < n; i += size, blocks += block_bytes(type)) {
    const float* const x = values + i;
    if (!all_finite(x, size) || !(size == 32    ? quantize_legacy(type, x, parts)
                                  : size == 128 ? quantize_long(type, x, parts)
                                                : quantize_k(type, x, parts))) {
      poison(type, parts);
    }
    pack_block(type, parts, blocks);
  }
}

}  // namespace ocellus::tensor
