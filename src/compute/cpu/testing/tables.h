// Tables that only tests have.
#pragma once

#include "compute/cpu/gemm/int8_kernels.h"

namespace ocellus::compute::cpu::testing {

// AVX-VNNI's table in AVX-512's encoding, which more machines have. Null where this one has not.
const Int8Kernels* avxvnni_as_evex();

}  // namespace ocellus::compute::cpu::testing
