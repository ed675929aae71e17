// The vector V, sixteen f32 lanes, as two 256-bit registers:
//   load, load_part(p, n), store, store_part(p, v, n), zero, set1, load_half, load_bfloat,
//   load_bytes(int8), fma, add, sub, mul, div, sqrt_of, less_select, pow2i, and
//   min_of, max_of (the second operand where the two are unordered, as x86 has it).
//
// Include inside an unnamed namespace of ocellus::compute::cpu, so that nothing compiled with these
// flags is visible elsewhere, after compute/cpu/isa/blocking.h and immintrin.h. Needs AVX2, FMA and
// F16C.

struct V {
  __m256 low, high;
};

inline V zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline V set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline V load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, V v) {
  _mm256_storeu_ps(p, v.low);
  _mm256_storeu_ps(p + 8, v.high);
}
// Lane i is on where i < n.
inline __m256i part_mask(std::int64_t n) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lanes);
}
inline V load_part(const float* p, std::int64_t n) {
  if (n >= kLanes) return load(p);
  // The second half is not even named where the first is not full: a pointer past the row is
  // invalid.
  return {_mm256_maskload_ps(p, part_mask(n)),
          n > 8 ? _mm256_maskload_ps(p + 8, part_mask(n - 8)) : _mm256_setzero_ps()};
}
inline void store_part(float* p, V v, std::int64_t n) {
  if (n >= kLanes) return store(p, v);
  _mm256_maskstore_ps(p, part_mask(n), v.low);
  if (n > 8) _mm256_maskstore_ps(p + 8, part_mask(n - 8), v.high);
}
inline __m256 widen_bfloat(const std::uint16_t* p) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
inline __m256 widen_half(const std::uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline V load_bfloat(const std::uint16_t* p) { return {widen_bfloat(p), widen_bfloat(p + 8)}; }
inline V load_half(const std::uint16_t* p) { return {widen_half(p), widen_half(p + 8)}; }
inline __m256 widen_bytes(const std::int8_t* p) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}
inline V load_bytes(const std::int8_t* p) { return {widen_bytes(p), widen_bytes(p + 8)}; }
inline V fma(V a, V b, V c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
inline V add(V a, V b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline V sub(V a, V b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline V mul(V a, V b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline V div(V a, V b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
inline V sqrt_of(V a) { return {_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)}; }
inline V min_of(V a, V b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline V max_of(V a, V b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline V less_select(V a, V b, V yes, V no) {
  return {_mm256_blendv_ps(no.low, yes.low, _mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ)),
          _mm256_blendv_ps(no.high, yes.high, _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ))};
}
inline __m256 pow2i_half(__m256 n) {
  const __m256 inside = _mm256_and_ps(_mm256_cmp_ps(n, _mm256_set1_ps(-126.0f), _CMP_GE_OQ),
                                      _mm256_cmp_ps(n, _mm256_set1_ps(127.0f), _CMP_LE_OQ));
  const __m256i whole = _mm256_and_si256(_mm256_cvttps_epi32(n), _mm256_castps_si256(inside));
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_add_epi32(whole, _mm256_set1_epi32(127)), 23));
}
inline V pow2i(V n) { return {pow2i_half(n.low), pow2i_half(n.high)}; }
