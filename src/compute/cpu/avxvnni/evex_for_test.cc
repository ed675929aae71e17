// EVEX: the same table where the machine has AVX-512's encoding of the instruction.
#include <immintrin.h>

#include "compute/cpu/int8_kernels.h"
#include "compute/cpu/test_tables.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "avxvnni as EVEX";

#include "compute/cpu/avxvnni/int8.inc"

}  // namespace

const Int8Kernels* testing::avxvnni_as_evex() {
  const bool there = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                     __builtin_cpu_supports("avx512vnni");
  return there ? &kInt8Table : nullptr;
}

}  // namespace ocellus::compute::cpu
