// Single rows of packed weights, for embedding tables.
#pragma once

#include "compute/cpu/gemm/packed_weight.h"
#include "compute/cpu/gemm/tables.h"

namespace ocellus::compute::cpu {

// Row o of the matrix in f32, out [in].
void read_row(const GemmTables& kernels, const PackedWeight& weight, std::int64_t o, float* out);

}  // namespace ocellus::compute::cpu
