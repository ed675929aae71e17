// Quantised weights in the order in which the kernels expand them: integers and scales of 32 rows
// side by side.
#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/cpu/kernels.h"
#include "tensor/quant_parts.h"

namespace ocellus::compute::cpu {

// Bytes of a chunk of `length` values (a multiple of 32, at most kBlockK) of 32 rows.
std::size_t quant_chunk_bytes(tensor::DType type, std::int64_t length);

// `rows` <= 32 rows of blocks, `row_bytes` apart, into one chunk; the other rows become zero.
void pack_quant_chunk(tensor::DType type, const std::byte* source, std::size_t row_bytes,
                      std::int64_t rows, std::int64_t length, std::byte* chunk);

// A packed chunk as the kernels take it.
QuantChunk quant_chunk(tensor::DType type, const std::byte* chunk, std::int64_t length);

}  // namespace ocellus::compute::cpu
