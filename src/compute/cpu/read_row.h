// Single rows of packed weights, for embedding tables.
#pragma once

#include "compute/cpu/cpu_kernels.h"
#include "compute/cpu/packed_weight.h"

namespace ocellus::compute::cpu {

// Row o of the matrix in f32, out [in].
void read_row(const CpuKernels& kernels, const PackedWeight& weight, std::int64_t o, float* out);

}  // namespace ocellus::compute::cpu
