// Floats to the parts of blocks, for the codecs of the block types.
#pragma once

#include <cstdint>

#include "tensor/block_codec.h"

namespace ocellus::tensor {

// Whether an f16 scale is infinite or NaN: what it was made from goes beyond f16.
inline bool overflows(std::uint16_t half) noexcept { return (half & 0x7C00u) == 0x7C00u; }

// 1 / d, and 0 where d is 0. A d so small that its inverse overflows is 0 as f16: any integers do.
float inverse(float d) noexcept;

// BlockCodec::quantize of each type. Those of 32 values are cut as the reference cuts them
// (gguf/quants.py), bit for bit.
bool quantize_q4_0(const float* x, QuantParts& parts) noexcept;
bool quantize_q4_1(const float* x, QuantParts& parts) noexcept;
bool quantize_q5_0(const float* x, QuantParts& parts) noexcept;
bool quantize_q5_1(const float* x, QuantParts& parts) noexcept;
bool quantize_q8_0(const float* x, QuantParts& parts) noexcept;
// Those of 256 search for the scales, mins and integers of least squared error.
bool quantize_q2_k(const float* x, QuantParts& parts) noexcept;
bool quantize_q3_k(const float* x, QuantParts& parts) noexcept;
bool quantize_q4_k(const float* x, QuantParts& parts) noexcept;
bool quantize_q5_k(const float* x, QuantParts& parts) noexcept;
bool quantize_q6_k(const float* x, QuantParts& parts) noexcept;
// q8: the largest magnitude is 127. q4: the scale of least squared error among those tried.
bool quantize_q8(const float* x, QuantParts& parts) noexcept;
bool quantize_q4(const float* x, QuantParts& parts) noexcept;

}  // namespace ocellus::tensor
