// Block-quantised types of GGUF: values in blocks of 32 or 256 that share scales.
// Reference: the gguf package (gguf/quants.py) and ggml's block_q* structures.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace ocellus::tensor {

// Expands n values (a multiple of the type's block) of a plain float or block type, any alignment,
// to f32: bit for bit what the reference computes, whose products and sums are f32 too. Any thread.
void dequantize(DType type, const std::byte* blocks, std::int64_t n, float* out) noexcept;

}  // namespace ocellus::tensor
