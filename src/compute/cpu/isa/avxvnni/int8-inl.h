// AVX-VNNI: a dot product of four unsigned with four signed bytes in each lane of 256 bits. The
// tile of 6 rows x 16 outputs takes 15 of the 16 registers.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after
// compute/cpu/gemm/int8_kernels.h and immintrin.h, with constexpr const char* kName. Needs AVX2,
// FMA, F16C and either encoding of vpdpbusd in 256 bits: VEX (AVX-VNNI) or, for tests, EVEX
// (AVX-512 VL and VNNI). Defines kInt8Table.

constexpr int kInt8TileVectors = 1;
#define OCELLUS_INT8_ROWS 6

#include "compute/cpu/isa/avx2/int8_vector-inl.h"

inline I dot(I acc, W w, B x) {
  return {_mm256_dpbusd_epi32(acc.low, w.low, x), _mm256_dpbusd_epi32(acc.high, w.high, x)};
}

#include "compute/cpu/gemm/int8_bytes-inl.h"

// In this order.
// clang-format off
#include "compute/cpu/quant/unpack-inl.h"
#include "compute/cpu/gemm/int8-inl.h"
#include "compute/cpu/gemm/int8_decode-inl.h"
#include "compute/cpu/gemm/int8_table-inl.h"
// clang-format on
