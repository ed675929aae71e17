// Block types: values in blocks that share scales. Those of GGUF have blocks of 32 or 256;
// reference: the gguf package (gguf/quants.py) and ggml's block_q* structures. q8 and q4 are ours,
// 128 values with one scale (docs/kernels.md): made while loading or packing; packed models have
// them, GGUF files do not.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace ocellus::tensor {

// n values (a multiple of the type's block) of a plain float or block type, any alignment, to f32:
// bit for bit the reference's values. Any thread. Other types: nothing is written.
void dequantize(DType type, const std::byte* blocks, std::int64_t n, float* out) noexcept;

// The reverse, for the same types. f16 and bf16 round to nearest even. q4_0, q4_1, q5_0, q5_1 and
// q8_0 are bit for bit the reference's; the k types and q4 search for the scales of least squared
// error. A block with a value that is not finite, or whose scale f16 cannot hold, becomes NaN
// throughout. The same bytes on every machine. Any thread.
void quantize(DType type, const float* values, std::int64_t n, std::byte* blocks) noexcept;

}  // namespace ocellus::tensor
