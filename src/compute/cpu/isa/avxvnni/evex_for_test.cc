// EVEX: the same table where the machine has AVX-512's encoding of the instruction.
#include <immintrin.h>

#include "compute/cpu/gemm/int8_kernels.h"
#include "compute/cpu/testing/tables.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "avxvnni as EVEX";

#include "compute/cpu/isa/avxvnni/int8-inl.h"

}  // namespace

const Int8Kernels* testing::avxvnni_as_evex() { return has_avx512vnni() ? &kInt8Table : nullptr; }

}  // namespace ocellus::compute::cpu
