// Linear layers: products, then the epilogue while sums are in the cache.
#pragma once

#include <span>

#include "compute/cpu/gemm/product.h"

namespace ocellus::compute::cpu {

// See Backend::linear. The product follows from the weight's layout and from what a row is (prefill
// or decode), never from how many rows there are. kOutOfMemory.
Status linear(const ProductTools& tools, ConstMatrix x, std::int64_t decode_rows,
              std::span<const LinearCall> calls);

}  // namespace ocellus::compute::cpu
