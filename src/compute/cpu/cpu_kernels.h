// The kernel tables that one backend works with.
#pragma once

#include "compute/cpu/bf16_kernels.h"
#include "compute/cpu/int8_kernels.h"
#include "compute/cpu/kernels.h"

namespace ocellus::compute::cpu {

struct CpuKernels {
  const Kernels* f32 = nullptr;
  const Int8Kernels* int8 = nullptr;
  const Bf16Kernels* bf16 = nullptr;  // null: the machine has no such instructions
};

}  // namespace ocellus::compute::cpu
