// VEX: for CPUs without AVX-512.
#include <immintrin.h>

#include "compute/cpu/int8_kernels.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "avxvnni";

#include "compute/cpu/avxvnni/int8.inc"

}  // namespace

const Int8Kernels* avxvnni_int8_kernels() {
  const bool there = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                     __builtin_cpu_supports("f16c") && __builtin_cpu_supports("avxvnni");
  return there ? &kInt8Table : nullptr;
}

}  // namespace ocellus::compute::cpu
