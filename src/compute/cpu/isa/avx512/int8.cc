// AVX-512 with VNNI: a dot product of four unsigned with four signed bytes in each lane. The tile
// of 12 rows x 32 outputs takes 24 of the 32 registers.
#include <immintrin.h>

#include "compute/cpu/gemm/int8_kernels.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "avx512vnni";
constexpr int kInt8TileVectors = 2;
#define OCELLUS_INT8_ROWS 12

// In this order.
// clang-format off
#include "compute/cpu/isa/avx2/sum_bytes-inl.h"
#include "compute/cpu/isa/avx512/vector-inl.h"
#include "compute/cpu/isa/vector_math-inl.h"
// clang-format on

using I = __m512i;
using W = __m512i;
using B = __m512i;

inline I set_i(std::int32_t x) { return _mm512_set1_epi32(x); }
inline I add_i(I a, I b) { return _mm512_add_epi32(a, b); }
template <int kBits>
inline I shift_left_i(I x) {
  return _mm512_slli_epi32(x, kBits);
}
inline I broadcast_i(const std::int32_t* p) { return _mm512_set1_epi32(*p); }
inline I load_i(const float* p) { return _mm512_loadu_si512(p); }
inline void store_i(float* p, I x) { _mm512_storeu_si512(p, x); }
inline V to_float(I x) { return _mm512_cvtepi32_ps(x); }
inline W load_w(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
inline void store_w(std::uint8_t* p, W w) { _mm512_storeu_si512(p, w); }
inline W and_w(W w, int byte) {
  return _mm512_and_si512(w, _mm512_set1_epi8(static_cast<char>(byte)));
}
inline W or_w(W a, W b) { return _mm512_or_si512(a, b); }
inline W add_w(W w, int byte) {
  return _mm512_add_epi8(w, _mm512_set1_epi8(static_cast<char>(byte)));
}
template <int kBits>
inline W shift_right_w(W w) {
  return _mm512_srli_epi16(w, kBits);
}
template <int kBits>
inline W shift_left_w(W w) {
  return _mm512_slli_epi16(w, kBits);
}
inline W or_where(std::uint64_t mask, W w, int byte) {
  return _mm512_mask_add_epi8(w, mask, w, _mm512_set1_epi8(static_cast<char>(byte)));
}
inline V byte_of(W w, int j) {
  return _mm512_cvtepi32_ps(
      _mm512_and_si512(_mm512_srli_epi32(w, static_cast<unsigned>(8 * j)), _mm512_set1_epi32(255)));
}
inline B broadcast(const std::int8_t* p) {
  std::int32_t four;
  __builtin_memcpy(&four, p, sizeof(four));
  return _mm512_set1_epi32(four);
}
inline I dot(I acc, W w, B x) { return _mm512_dpbusd_epi32(acc, w, x); }

#include "compute/cpu/gemm/int8_bytes-inl.h"

inline float max_lane(V v) { return _mm512_reduce_max_ps(v); }
inline bool all_zero(V v) {
  return _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_EQ_OQ) == 0xFFFF;
}
inline void store_bytes(V x, std::int8_t* p) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}
inline W max_w(W a, W b) { return _mm512_max_epu8(a, b); }
inline W min_w(W a, W b) { return _mm512_min_epu8(a, b); }
inline V max_byte(W w) {
  w = max_w(w, _mm512_srli_epi32(w, 16));
  return byte_of(max_w(w, _mm512_srli_epi32(w, 8)), 0);
}
inline V min_byte(W w) {
  // Bytes shifted in must not count.
  w = min_w(w, _mm512_rol_epi32(w, 16));
  return byte_of(min_w(w, _mm512_rol_epi32(w, 8)), 0);
}
inline W words_of(V x) {
  const __m512i whole = _mm512_cvtps_epi32(x);
  return _mm512_or_si512(_mm512_and_si512(whole, _mm512_set1_epi32(0xFFFF)),
                         _mm512_slli_epi32(whole, 16));
}
inline W rescale(W w, W m, W o) {
  const __m512i low = _mm512_and_si512(w, _mm512_set1_epi16(255)), high = _mm512_srli_epi16(w, 8);
  const __m512i even = _mm512_add_epi16(_mm512_mullo_epi16(low, m), o),
                odd = _mm512_add_epi16(_mm512_mullo_epi16(high, m), o);
  return _mm512_or_si512(_mm512_srli_epi16(even, 8),
                         _mm512_and_si512(odd, _mm512_set1_epi16(static_cast<short>(0xFF00))));
}

// In this order.
// clang-format off
#include "compute/cpu/quant/unpack-inl.h"
#include "compute/cpu/gemm/int8-inl.h"
#include "compute/cpu/gemm/int8_decode-inl.h"
#include "compute/cpu/gemm/int8_table-inl.h"
// clang-format on

}  // namespace

const Int8Kernels* avx512_int8_kernels() { return has_avx512vnni() ? &kInt8Table : nullptr; }

}  // namespace ocellus::compute::cpu
