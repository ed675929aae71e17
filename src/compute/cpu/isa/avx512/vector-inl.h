// The vector V, sixteen f32 lanes, as one 512-bit register:
//   load, load_part(p, n), store, store_part(p, v, n), zero, set1, load_half, load_bfloat,
//   load_bytes(int8), fma, add, sub, mul, div, sqrt_of, less_select, pow2i, and
//   min_of, max_of (the second operand where the two are unordered, as x86 has it).
//
// Include inside an unnamed namespace of ocellus::compute::cpu, so that nothing compiled with these
// flags is visible elsewhere, after compute/cpu/isa/blocking.h and immintrin.h. Needs AVX-512 F,
// BW, VL, DQ.

using V = __m512;

inline V zero() { return _mm512_setzero_ps(); }
inline V set1(float x) { return _mm512_set1_ps(x); }
inline V load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, V v) { _mm512_storeu_ps(p, v); }
inline __mmask16 part_mask(std::int64_t n) {
  return static_cast<__mmask16>(n >= kLanes ? 0xFFFFu : (1u << n) - 1u);
}
inline V load_part(const float* p, std::int64_t n) {
  return _mm512_maskz_loadu_ps(part_mask(n), p);
}
inline void store_part(float* p, V v, std::int64_t n) { _mm512_mask_storeu_ps(p, part_mask(n), v); }
inline V load_bfloat(const std::uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline V load_half(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline V load_bytes(const std::int8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
inline V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
inline V add(V a, V b) { return _mm512_add_ps(a, b); }
inline V sub(V a, V b) { return _mm512_sub_ps(a, b); }
inline V mul(V a, V b) { return _mm512_mul_ps(a, b); }
inline V div(V a, V b) { return _mm512_div_ps(a, b); }
inline V sqrt_of(V a) { return _mm512_sqrt_ps(a); }
inline V min_of(V a, V b) { return _mm512_min_ps(a, b); }
inline V max_of(V a, V b) { return _mm512_max_ps(a, b); }
inline V less_select(V a, V b, V yes, V no) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}
inline V pow2i(V n) {
  const __mmask16 inside = _mm512_cmp_ps_mask(n, set1(-126.0f), _CMP_GE_OQ) &
                           _mm512_cmp_ps_mask(n, set1(127.0f), _CMP_LE_OQ);
  const __m512i whole = _mm512_maskz_cvttps_epi32(inside, n);
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_add_epi32(whole, _mm512_set1_epi32(127)), 23));
}
