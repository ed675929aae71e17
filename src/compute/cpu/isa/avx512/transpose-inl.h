// Include inside an unnamed namespace, after immintrin.h. Needs AVX-512 F.

// Lane j of vector i becomes lane i of vector j.
inline void transpose_i32(__m512i (&v)[16]) {
  __m512i a[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    a[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
    a[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
  }
  // v[4 k + c] has in its quarter m the lanes 4 m + c of rows 4 k to 4 k + 3.
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    v[4 * k] = _mm512_unpacklo_epi64(a[4 * k], a[4 * k + 2]);
    v[4 * k + 1] = _mm512_unpackhi_epi64(a[4 * k], a[4 * k + 2]);
    v[4 * k + 2] = _mm512_unpacklo_epi64(a[4 * k + 1], a[4 * k + 3]);
    v[4 * k + 3] = _mm512_unpackhi_epi64(a[4 * k + 1], a[4 * k + 3]);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i even_low = _mm512_shuffle_i32x4(v[c], v[4 + c], 0x88),
                  odd_low = _mm512_shuffle_i32x4(v[c], v[4 + c], 0xDD),
                  even_high = _mm512_shuffle_i32x4(v[8 + c], v[12 + c], 0x88),
                  odd_high = _mm512_shuffle_i32x4(v[8 + c], v[12 + c], 0xDD);
    a[c] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
    a[4 + c] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
    a[8 + c] = _mm512_shuffle_i32x4(even_low, even_high, 0xDD);
    a[12 + c] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xDD);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) v[i] = a[i];
}
