#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {

bool has_avx2() noexcept {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}
bool has_avxvnni() noexcept { return has_avx2() && __builtin_cpu_supports("avxvnni"); }
bool has_avx512() noexcept {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
bool has_avx512vnni() noexcept { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
bool has_avx512bf16() noexcept { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

}  // namespace ocellus::compute::cpu
