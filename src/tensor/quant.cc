#include "tensor/quant.h"

#include <cmath>
#include <cstring>

#include "tensor/quant_parts.h"
#include "tensor/quantize.h"

namespace ocellus::tensor {
namespace {

auto* as_bytes(std::byte* p) noexcept { return reinterpret_cast<unsigned char*>(p); }
const auto* as_bytes(const std::byte* p) noexcept {
  return reinterpret_cast<const unsigned char*>(p);
}

bool all_finite(const float* x, std::int64_t n) noexcept {
  for (std::int64_t i = 0; i < n; ++i)
    if (!std::isfinite(x[i])) return false;
  return true;
}

// A block whose values are all NaN: each is a product with d.
QuantParts nan_parts(const QuantLayout& layout) noexcept {
  QuantParts parts;
  parts.d = 0x7E00;                                        // NaN
  if (layout.mins && !layout.scales) parts.dmin = 0x8000;  // packed as a min of +0
  return parts;
}

}  // namespace

float inverse(float d) noexcept {
  const float inverted = d == 0.0f ? 0.0f : 1.0f / d;
  return std::isfinite(inverted) ? inverted : 0.0f;
}

void unpack_block(DType type, const std::byte* block, QuantParts& parts) noexcept {
  weight_type(type).codec->unpack(as_bytes(block), parts);
}

void pack_block(DType type, const QuantParts& parts, std::byte* block) noexcept {
  const WeightTypeInfo& info = weight_type(type);
  std::memset(block, 0, info.bytes);
  info.codec->pack(parts, as_bytes(block));
}

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
  if (!is_quantized(type)) return;
  const WeightTypeInfo& info = weight_type(type);
  const auto values = static_cast<std::int64_t>(info.values);
  const auto* block = as_bytes(blocks);
  for (std::int64_t i = 0; i < n; i += values, block += info.bytes)
    info.codec->dequantize(block, out + i);
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
  const WeightTypeInfo& info = weight_type(type);
  const auto size = static_cast<std::int64_t>(info.values);
  for (std::int64_t i = 0; i < n; i += size, blocks += info.bytes) {
    const float* const x = values + i;
    QuantParts parts;
    if (!all_finite(x, size) || !info.codec->quantize(x, parts)) parts = nan_parts(info.layout);
    pack_block(type, parts, blocks);
  }
}

}  // namespace ocellus::tensor
