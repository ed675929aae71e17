// The vectors I, W and B of gemm/int8-inl.h as two 256-bit registers, without the products.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after
// compute/cpu/gemm/int8_kernels.h and immintrin.h. Needs AVX2, FMA and F16C. Includes vector-inl.h
// and isa/vector_math-inl.h.

// In this order.
// clang-format off
#include "compute/cpu/isa/avx2/sum_bytes-inl.h"
#include "compute/cpu/isa/avx2/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
// clang-format on

struct I {
  __m256i low, high;
};
using W = I;
using B = __m256i;

inline I set_i(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
inline I add_i(I a, I b) {
  return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
template <int kBits>
inline I shift_left_i(I x) {
  return {_mm256_slli_epi32(x.low, kBits), _mm256_slli_epi32(x.high, kBits)};
}
inline I broadcast_i(const std::int32_t* p) { return set_i(*p); }
inline I load_i(const float* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 8))};
}
inline void store_i(float* p, I x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), x.high);
}
inline V to_float(I x) { return {_mm256_cvtepi32_ps(x.low), _mm256_cvtepi32_ps(x.high)}; }
inline __m256i load_half_w(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline W load_w(const std::uint8_t* p) { return {load_half_w(p), load_half_w(p + 32)}; }
inline void store_w(std::uint8_t* p, W w) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), w.low);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), w.high);
}
inline __m256i bytes_of(int byte) { return _mm256_set1_epi8(static_cast<char>(byte)); }
inline W and_w(W w, int byte) {
  return {_mm256_and_si256(w.low, bytes_of(byte)), _mm256_and_si256(w.high, bytes_of(byte))};
}
inline W xor_w(W w, int byte) {
  return {_mm256_xor_si256(w.low, bytes_of(byte)), _mm256_xor_si256(w.high, bytes_of(byte))};
}
inline W or_w(W a, W b) { return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)}; }
inline W add_w(W w, int byte) {
  return {_mm256_add_epi8(w.low, bytes_of(byte)), _mm256_add_epi8(w.high, bytes_of(byte))};
}
template <int kBits>
inline W shift_right_w(W w) {
  return {_mm256_srli_epi16(w.low, kBits), _mm256_srli_epi16(w.high, kBits)};
}
template <int kBits>
inline W shift_left_w(W w) {
  return {_mm256_slli_epi16(w.low, kBits), _mm256_slli_epi16(w.high, kBits)};
}
// Bit i of the mask for byte i.
inline __m256i bytes_where(std::uint32_t mask) {
  const __m256i which = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
                                         2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201ull));
  const __m256i copies =
      _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<std::int32_t>(mask)), which);
  return _mm256_cmpeq_epi8(_mm256_and_si256(copies, bit), bit);
}
inline W or_where(std::uint64_t mask, W w, int byte) {
  const __m256i low = bytes_where(static_cast<std::uint32_t>(mask)),
                high = bytes_where(static_cast<std::uint32_t>(mask >> 32));
  return or_w(w, {_mm256_and_si256(low, bytes_of(byte)), _mm256_and_si256(high, bytes_of(byte))});
}
inline __m256 byte_of_half(__m256i w, int j) {
  return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(w, 8 * j), _mm256_set1_epi32(255)));
}
inline V byte_of(W w, int j) { return {byte_of_half(w.low, j), byte_of_half(w.high, j)}; }
inline B broadcast(const std::int8_t* p) {
  std::int32_t four;
  __builtin_memcpy(&four, p, sizeof(four));
  return _mm256_set1_epi32(four);
}
inline float max_lane(V v) {
  const __m256 eight = _mm256_max_ps(v.low, v.high);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
inline bool all_zero(V v) {
  const __m256 zeros = _mm256_setzero_ps();
  const __m256 both = _mm256_and_ps(_mm256_cmp_ps(v.low, zeros, _CMP_EQ_OQ),
                                    _mm256_cmp_ps(v.high, zeros, _CMP_EQ_OQ));
  return _mm256_movemask_ps(both) == 0xFF;
}
inline void store_bytes(V x, std::int8_t* p) {
  const __m256i words = _mm256_permute4x64_epi64(
      _mm256_packs_epi32(_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high)), 0xD8);
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(p),
      _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}
inline W max_w(W a, W b) {
  return {_mm256_max_epu8(a.low, b.low), _mm256_max_epu8(a.high, b.high)};
}
inline W min_w(W a, W b) {
  return {_mm256_min_epu8(a.low, b.low), _mm256_min_epu8(a.high, b.high)};
}
inline V max_byte(W w) {
  w = max_w(w, {_mm256_srli_epi32(w.low, 16), _mm256_srli_epi32(w.high, 16)});
  return byte_of(max_w(w, {_mm256_srli_epi32(w.low, 8), _mm256_srli_epi32(w.high, 8)}), 0);
}
inline V min_byte(W w) { return sub(set1(255.0f), max_byte(xor_w(w, 255))); }
inline __m256i words_of_half(__m256 x) {
  const __m256i whole = _mm256_cvtps_epi32(x);
  return _mm256_or_si256(_mm256_and_si256(whole, _mm256_set1_epi32(0xFFFF)),
                         _mm256_slli_epi32(whole, 16));
}
inline W words_of(V x) { return {words_of_half(x.low), words_of_half(x.high)}; }
inline __m256i rescale_half(__m256i w, __m256i m, __m256i o) {
  const __m256i low = _mm256_and_si256(w, _mm256_set1_epi16(255)), high = _mm256_srli_epi16(w, 8);
  const __m256i even = _mm256_add_epi16(_mm256_mullo_epi16(low, m), o),
                odd = _mm256_add_epi16(_mm256_mullo_epi16(high, m), o);
  return _mm256_or_si256(_mm256_srli_epi16(even, 8),
                         _mm256_and_si256(odd, _mm256_set1_epi16(static_cast<short>(0xFF00))));
}
inline W rescale(W w, W m, W o) {
  return {rescale_half(w.low, m.low, o.low), rescale_half(w.high, m.high, o.high)};
}
