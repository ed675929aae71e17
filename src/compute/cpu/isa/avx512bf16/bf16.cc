// AVX-512 with BF16: a dot product of pairs in each lane. The tile of 12 rows x 32 outputs takes 24
// of the 32 registers.
#include <immintrin.h>

#include "compute/cpu/gemm/bf16_kernels.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

inline __m512bh load_pairs(const std::uint16_t* p) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(p));
}

// R * 2 accumulators that must stay in registers.
template <int R>
void bf16_tile_rows(const std::uint16_t* a, const std::uint16_t* b, std::int64_t pairs, bool add_to,
                    float* c) {
  __m512 acc[R][2];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
  for (std::int64_t k = 0; k < pairs; ++k) {
    const __m512bh low = load_pairs(b), high = load_pairs(b + kPanel);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      std::int32_t pair;
      __builtin_memcpy(&pair, a + r * 2, sizeof(pair));
      const __m512bh x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
      acc[r][0] = _mm512_dpbf16_ps(acc[r][0], low, x);
      acc[r][1] = _mm512_dpbf16_ps(acc[r][1], high, x);
    }
    a += R * 2;
    b += kPanel * 2;
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      float* const to = c + r * kPanel + h * kLanes;
      _mm512_storeu_ps(to, add_to ? _mm512_add_ps(_mm512_loadu_ps(to), acc[r][h]) : acc[r][h]);
    }
  }
}

void bf16_tile(const std::uint16_t* a, int rows, const std::uint16_t* b, std::int64_t pairs,
               bool add, float* c) {
  switch (rows) {
    case 1:
      return bf16_tile_rows<1>(a, b, pairs, add, c);
    case 2:
      return bf16_tile_rows<2>(a, b, pairs, add, c);
    case 3:
      return bf16_tile_rows<3>(a, b, pairs, add, c);
    case 4:
      return bf16_tile_rows<4>(a, b, pairs, add, c);
    case 5:
      return bf16_tile_rows<5>(a, b, pairs, add, c);
    case 6:
      return bf16_tile_rows<6>(a, b, pairs, add, c);
    case 7:
      return bf16_tile_rows<7>(a, b, pairs, add, c);
    case 8:
      return bf16_tile_rows<8>(a, b, pairs, add, c);
    case 9:
      return bf16_tile_rows<9>(a, b, pairs, add, c);
    case 10:
      return bf16_tile_rows<10>(a, b, pairs, add, c);
    case 11:
      return bf16_tile_rows<11>(a, b, pairs, add, c);
    case 12:
      return bf16_tile_rows<12>(a, b, pairs, add, c);
    default:
      return;
  }
}

// In integers: the conversion instruction would make subnormal numbers zero.
void round_row(const float* x, std::int64_t n, std::uint16_t* to) {
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const std::int64_t left = n - i;
    const auto mask = static_cast<__mmask16>(left >= kLanes ? 0xFFFFu : (1u << left) - 1u);
    const __m512 value = _mm512_maskz_loadu_ps(mask, x + i);
    const __m512i bits = _mm512_castps_si512(value);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    _mm256_mask_storeu_epi16(to + i, mask, _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
  }
}

constexpr Bf16Kernels kBf16Table = {
    .name = "avx512bf16", .tile_rows = 12, .round_row = round_row, .tile = bf16_tile};

}  // namespace

const Bf16Kernels* avx512_bf16_kernels() { return has_avx512bf16() ? &kBf16Table : nullptr; }

}  // namespace ocellus::compute::cpu
