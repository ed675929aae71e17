#include "compute/cpu/isa/avx512bf16/pairs.h"

namespace ocellus::compute::cpu {
namespace {

using V = __m512;

#include "compute/cpu/isa/avx512/transpose-inl.h"

inline __mmask16 part_mask(int n) {
  return static_cast<__mmask16>(n >= kLanes ? 0xFFFFu : n <= 0 ? 0u : (1u << n) - 1u);
}
inline V load_part(const float* from, int n) { return _mm512_maskz_loadu_ps(part_mask(n), from); }

// Of b's and a's halves side by side to a0 b0 a1 b1 ...
inline __m512i zip_order() {
  const __m512i low = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_add_epi32(low, _mm512_set1_epi32(16)), 16));
}
inline __m512i zip_rows(V a, V b, __m512i order) {
  return _mm512_permutexvar_epi16(order, __m512i(_mm512_cvtne2ps_pbh(b, a)));
}

template <KvElement E>
inline V load_stored(const std::uint8_t* from, std::int64_t i) {
  if constexpr (E == KvElement::kF16)
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 2 * i)));
  if constexpr (E == KvElement::kQ8)
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  return _mm512_loadu_ps(from + 4 * i);
}

template <KvElement E>
inline void pack_stored(const std::uint8_t* from, int rows, int n, std::uint16_t* to) {
  const __m512i order = zip_order();
  for (int row = 0; row < rows; row += 2) {
    const std::int64_t first = std::int64_t{row} * n;
    for (int i = 0; i < n; i += kLanes) {
      const V a = load_stored<E>(from, first + i);
      const V b = row + 1 < rows ? load_stored<E>(from, first + n + i) : _mm512_setzero_ps();
      _mm512_storeu_si512(to + first + 2 * i, zip_rows(a, b, order));
    }
  }
}

void store_keys(const KvRun& run) {
  const int pairs = (run.head_dim + 1) / 2;
  for (int t = 0; t < run.tokens; t += kLanes) {
    for (int d = 0; d < run.head_dim; d += 2 * kLanes) {
      __m512i v[16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) {
        v[i] = _mm512_setzero_si512();
        if (t + i < run.tokens) {
          const float* const row = run.k + (t + i) * run.k_stride + d;
          v[i] = __m512i(_mm512_cvtne2ps_pbh(load_part(row + kLanes, run.head_dim - d - kLanes),
                                             load_part(row, run.head_dim - d)));
        }
      }
      transpose_i32(v);
      std::uint8_t* const to = run.keys + (d / 2 * kKvBlockTokens + run.token + t) * 4;
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) {
        if (d / 2 + i < pairs) _mm512_storeu_si512(to + i * kKvBlockTokens * 4, v[i]);
      }
    }
  }
}

void store_values(const KvRun& run) {
  const __m512i order = zip_order();
  for (int t = 0; t < run.tokens; t += 2) {
    const float* const row = run.v + t * run.v_stride;
    std::uint8_t* const to = run.values + (run.token + t) * run.stride * 2;
    for (int c = 0; c < run.stride; c += kLanes) {
      const V a = load_part(row + c, run.head_dim - c);
      const V b = t + 1 < run.tokens ? load_part(row + run.v_stride + c, run.head_dim - c)
                                     : _mm512_setzero_ps();
      _mm512_storeu_si512(to + c * 4, zip_rows(a, b, order));
    }
  }
}

}  // namespace

void pack_query(const float* q, int n, float scale, std::uint16_t* to) {
  const V by = _mm512_set1_ps(scale);
  for (int i = 0; i < n; i += kLanes) {
    const int part = n - i < kLanes ? n - i : kLanes, padded = part + part % 2;
    const auto bits = __m256i(_mm512_cvtneps_pbh(_mm512_mul_ps(load_part(q + i, part), by)));
    _mm256_mask_storeu_epi16(to + i, part_mask(padded), bits);
  }
}

void pack_pairs(KvElement element, const std::uint8_t* from, int rows, int n, std::uint16_t* to) {
  switch (element) {
    case KvElement::kF32:
      return pack_stored<KvElement::kF32>(from, rows, n, to);
    case KvElement::kF16:
      return pack_stored<KvElement::kF16>(from, rows, n, to);
    case KvElement::kQ8:
      return pack_stored<KvElement::kQ8>(from, rows, n, to);
    case KvElement::kPairs:
      return;
  }
}

void store_pairs(const KvRun& run) {
  store_keys(run);
  store_values(run);
}

}  // namespace ocellus::compute::cpu
