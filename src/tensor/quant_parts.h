// Blocks of quantised types as small integers and their scales.
#pragma once

#include <cstddef>

#include "tensor/block_codec.h"
#include "tensor/weight_types.h"

namespace ocellus::tensor {

// For a quantised type.
constexpr const QuantLayout& quant_layout(DType type) noexcept { return weight_type(type).layout; }

// One block of a quantised type, unpacked.
void unpack_block(DType type, const std::byte* block, QuantParts& parts) noexcept;

// The reverse: parts in the ranges that unpack_block() gives become its block again, bit for bit.
void pack_block(DType type, const QuantParts& parts, std::byte* block) noexcept;

}  // namespace ocellus::tensor
