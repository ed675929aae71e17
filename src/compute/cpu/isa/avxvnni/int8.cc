// VEX: for CPUs without AVX-512.
#include <immintrin.h>

#include "compute/cpu/gemm/int8_kernels.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "avxvnni";

#include "compute/cpu/isa/avxvnni/int8-inl.h"

}  // namespace

const Int8Kernels* avxvnni_int8_kernels() { return has_avxvnni() ? &kInt8Table : nullptr; }

}  // namespace ocellus::compute::cpu
