// Block-quantised types: values in blocks that share scales.
// Those of GGUF have blocks of 32 or 256. Reference: the gguf package (gguf/quants.py) and ggml's
// block_q* structures. q8 and q4 are ours: 128 values with one scale, the longest stretch whose
// rounding 8-bit products can afford and the shortest at which they are near their peak
// (docs/kernels.md). They are made while loading; no file has them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace ocellus::tensor {

// Expands n values (a multiple of the type's block) of a plain float or block type, any alignment,
// to f32: bit for bit what the reference computes, whose products and sums are f32 too. Any thread.
void dequantize(DType type, const std::byte* blocks, std::int64_t n, float* out) noexcept;

// The reverse, for the same types. F16 and BF16 round to nearest even. q4_0, q4_1, q5_0, q5_1 and
// q8_0 are bit for bit the reference's; the k types and q4 search for the scales of least squared
// error. A block holding a value that is not finite, or one whose scale f16 cannot hold, expands to
// NaN throughout: it cannot pass for weights. The same bytes on every machine. Any thread.
void quantize(DType type, const float* values, std::int64_t n, std::byte* blocks) noexcept;

}  // namespace ocellus::tensor
