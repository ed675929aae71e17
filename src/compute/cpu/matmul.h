// The product of activations with a packed weight.
#pragma once

#include "compute/cpu/kernels.h"
#include "compute/cpu/packed_weight.h"
#include "compute/cpu/thread_pool.h"
#include "compute/cpu/workspace.h"

namespace ocellus::compute::cpu {

struct MatmulEpilogue {
  const float* bias;
  Function function;
  ConstMatrix residual;
};

// y = epilogue(x w^T), by the arithmetic contract of kernels.h. The same path serves one row and a
// thousand: a panel's block of weights is brought to f32 once (f32 weights are used in place) and
// multiplied with every tile of rows. kOutOfMemory.
Status matmul(const Kernels& kernels, ThreadPool& pool, const PackedWeight& weight, ConstMatrix x,
              const MatmulEpilogue& epilogue, Matrix y, CpuWorkspace& workspace);

}  // namespace ocellus::compute::cpu
