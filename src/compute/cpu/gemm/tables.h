// The tables of products that one backend works with.
#pragma once

#include "compute/cpu/gemm/bf16_kernels.h"
#include "compute/cpu/gemm/f32_kernels.h"
#include "compute/cpu/gemm/int8_kernels.h"

namespace ocellus::compute::cpu {

struct GemmTables {
  const F32Kernels* f32 = nullptr;
  const Int8Kernels* int8 = nullptr;
  const Bf16Kernels* bf16 = nullptr;  // null: the machine has no such instructions
};

}  // namespace ocellus::compute::cpu
