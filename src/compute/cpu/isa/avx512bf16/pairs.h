// Values in the form of bf16 products: two rows side by side in pairs.
#pragma once

#include <immintrin.h>

#include "compute/cpu/attention/kernels.h"

namespace ocellus::compute::cpu {

// The functions of Bf16AttentionKernels.
void pack_query(const float* q, int n, float scale, std::uint16_t* to);
void pack_pairs(KvElement element, const std::uint8_t* from, int rows, int n, std::uint16_t* to);
void store_pairs(const KvRun& run);

}  // namespace ocellus::compute::cpu
