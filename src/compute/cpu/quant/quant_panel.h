// Block types in the order in which kernels unpack them: integers and scales of 32 rows side by
// side.
#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/cpu/quant/chunk.h"
#include "tensor/quant_parts.h"

namespace ocellus::compute::cpu {

// A chunk holds up to kBlockK values of 32 rows, sub-block by sub-block of 32 values. A sub-block
// is, in this order and without gaps:
//   d [32] f16, and dmin [32] f16 where the type has minimums: where a block begins
//   scales [32 / sub][32] and mins likewise, signed bytes: where the type has them
//   the low plane and the high plane
// As bytes, a sub-block's integers are sixteen vectors of 64: vector 2 i + h has values 4 i to 4 i
// + 3 of rows 16 h to 16 h + 15, one row after the other. Planes keep a few bits of each byte:
//   low 8: the vectors. low 4: 64-byte words, word w = 2 j + h holds vector 4 j + h in its low and
//   vector 4 j + 2 + h in its high nibbles. low 2: word w holds vectors 4 w to 4 w + 3, lowest bits
//   first. high 1: for each vector 8 bytes, bit b for byte b. high 2: like low 2.
// A type takes no more memory than in its file (but for 6-bit scales, which take bytes), everything
// begins at a cache line, and a product reads forwards only.

// Bytes of a chunk of `length` values (a multiple of 32, at most kBlockK) of 32 rows.
std::size_t quant_chunk_bytes(tensor::DType type, std::int64_t length);

// `rows` <= 32 rows of blocks, `row_bytes` apart, into one chunk; the other rows become zero.
void pack_quant_chunk(tensor::DType type, const std::byte* source, std::size_t row_bytes,
                      std::int64_t rows, std::int64_t length, std::byte* chunk);

// q8: its integers are in the order of Int8Panel, after the scales of each group.
inline constexpr std::int64_t kQ8ScaleBytes = kPanel * 2;
inline constexpr std::int64_t kQ8GroupBytes = kQ8ScaleBytes + kGroup * kPanel;

// A packed chunk as the kernels take it.
QuantChunk quant_chunk(tensor::DType type, const std::byte* chunk, std::int64_t length);

}  // namespace ocellus::compute::cpu
