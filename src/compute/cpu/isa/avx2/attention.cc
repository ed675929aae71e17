// Attention with AVX2, FMA and F16C.
#include <immintrin.h>

#include "compute/cpu/attention/kernels.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

// In this order.
// clang-format off
#include "compute/cpu/isa/avx2/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
// clang-format on

// Sixteen registers are eight vectors.
constexpr int kAttentionVectors = 8;

inline void store_half(std::uint16_t* p, V v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph(v.low, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8),
                   _mm256_cvtps_ph(v.high, _MM_FROUND_TO_NEAREST_INT));
}
inline __m128i narrow_words(__m256 x) {
  const __m256i whole = _mm256_cvttps_epi32(x);
  return _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
}
inline void store_bytes(std::int8_t* p, V v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm_packs_epi16(narrow_words(v.low), narrow_words(v.high)));
}
// In this order.
// clang-format off
#include "compute/cpu/isa/transpose-inl.h"
#include "compute/cpu/attention/attention-inl.h"
// clang-format on

}  // namespace

const AttentionKernels* avx2_attention() { return has_avx2() ? &kAttentionTable : nullptr; }

}  // namespace ocellus::compute::cpu
