// Floats to block types: the parts that the families of types share.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/quant_parts.h"

namespace ocellus::tensor {

// Whether an f16 scale is infinite or NaN: what it was made from goes beyond f16.
inline bool overflows(std::uint16_t half) noexcept { return (half & 0x7C00u) == 0x7C00u; }

// 1 / d, and 0 where d is 0. A d so small that its inverse overflows is 0 as f16: any integers do.
float inverse(float d) noexcept;

// One block of values, all finite, as parts. The types of 32 values are cut as the reference cuts
// them (gguf/quants.py), bit for bit; the types of 256 search for the scales, mins and integers of
// least squared error. False where a scale goes beyond what f16 holds.
bool quantize_legacy(DType type, const float* x, QuantParts& parts) noexcept;
bool quantize_k(DType type, const float* x, QuantParts& parts) noexcept;
// q8: the largest magnitude is 127. q4: the scale of least squared error among those tried.
bool quantize_long(DType type, const float* x, QuantParts& parts) noexcept;

}  // namespace ocellus::tensor
