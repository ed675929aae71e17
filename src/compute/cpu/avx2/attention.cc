// Attention with AVX2, FMA and F16C.
#include <immintrin.h>

#include "compute/cpu/attention_kernels.h"

namespace ocellus::compute::cpu {
namespace {

#include "compute/cpu/avx2/vector.inc"
#include "compute/cpu/vector_math.inc"

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
// turn()
#include "compute/cpu/turn.inc"

#include "compute/cpu/attention_body.inc"

}  // namespace

const AttentionKernels* avx2_attention() {
  return avx2_kernels() != nullptr ? &kAttentionTable : nullptr;
}

}  // namespace ocellus::compute::cpu
