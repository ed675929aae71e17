// Linear layers: products, then what happens to their sums while these are in the cache.
#pragma once

#include <span>

#include "compute/cpu/gemm/product.h"

namespace ocellus::compute::cpu {

// LinearCall and the rows' kinds are Backend::linear's. The way of multiplying follows from the
// weight's layout and the row's kind, never from how many rows there are: a row's result does not
// depend on its neighbours. kOutOfMemory.
Status linear(const ProductTools& tools, ConstMatrix x, std::int64_t decode_rows,
              std::span<const LinearCall> calls);

}  // namespace ocellus::compute::cpu
