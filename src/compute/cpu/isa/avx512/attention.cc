// Attention with AVX-512.
#include <immintrin.h>

#include "compute/cpu/attention/kernels.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

// In this order.
// clang-format off
#include "compute/cpu/isa/avx512/transpose-inl.h"
#include "compute/cpu/isa/avx512/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
// clang-format on

constexpr int kAttentionVectors = 32;

inline void store_half(std::uint16_t* p, V v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline void store_bytes(std::int8_t* p, V v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(v)));
}
inline void transpose(V (&v)[kLanes]) {
  __m512i bits[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) bits[i] = _mm512_castps_si512(v[i]);
  transpose_i32(bits);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) v[i] = _mm512_castsi512_ps(bits[i]);
}

#include "compute/cpu/attention/attention-inl.h"

}  // namespace

const AttentionKernels* avx512_attention() { return has_avx512() ? &kAttentionTable : nullptr; }

}  // namespace ocellus::compute::cpu
