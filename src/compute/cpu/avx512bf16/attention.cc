// Attention with bf16 products (vdpbf16ps): scores and weighted values are sums of pairs in f32,
// statistics of the softmax are f32 too. A row's sums are chains over pairs of head_dim and pairs
// of positions in order, whatever the rows beside it.
#include <immintrin.h>

#include "compute/cpu/attention_kernels.h"

namespace ocellus::compute::cpu {
namespace {

using V = __m512;

constexpr int kGroups = kKvBlockTokens / kLanes;

inline __m512bh as_pairs(__m512i bits) { return __m512bh(bits); }
inline __m512i load_pairs(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
// The pair at `from`, in every lane.
inline __m512i spread_pair(const std::uint16_t* from) {
  int pair;
  __builtin_memcpy(&pair, from, sizeof(pair));
  return _mm512_set1_epi32(pair);
}

// Sums of the first G * 16 positions for R rows.
template <int R, int G>
[[gnu::noinline]] void score_tile(const std::uint16_t* q, int q_stride, int pairs,
                                  const std::uint8_t* keys, float* scores) {
  V acc[R][G];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g) acc[r][g] = _mm512_setzero_ps();
  }
  for (int d = 0; d < pairs; ++d) {
    __m512i k[G];
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g) k[g] = load_pairs(keys + (d * kGroups + g) * 64);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m512i x = spread_pair(q + r * q_stride + 2 * d);
#pragma GCC unroll 4
      for (int g = 0; g < G; ++g)
        acc[r][g] = _mm512_dpbf16_ps(acc[r][g], as_pairs(x), as_pairs(k[g]));
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g)
      _mm512_store_ps(scores + r * kKvBlockTokens + g * kLanes, acc[r][g]);
  }
}

// C vectors of the outputs of R rows over the pairs of positions [from, to); the first and the last
// pair's values through masks, so that a position outside takes part in nothing.
template <int R, int C, bool kEdges>
[[gnu::noinline]] void value_tile(const std::uint16_t* weights, const float* fade,
                                  const std::uint8_t* values, std::int64_t pair_bytes, int from,
                                  int to, float* out, std::int64_t state_stride) {
  V acc[R][C];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    const V by = _mm512_set1_ps(fade[r]);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
      acc[r][c] = _mm512_mul_ps(_mm512_loadu_ps(out + r * state_stride + c * kLanes), by);
  }
  for (int j = from / 2; j < (to + 1) / 2; ++j) {
    __m512i v[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) v[c] = load_pairs(values + j * pair_bytes + c * 64);
    if constexpr (kEdges) {
      const int keep = (2 * j >= from ? 0xFFFF : 0) | (2 * j + 1 < to ? ~0xFFFF : 0);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) v[c] = _mm512_and_si512(v[c], _mm512_set1_epi32(keep));
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m512i w = spread_pair(weights + r * kKvBlockTokens + 2 * j);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c)
        acc[r][c] = _mm512_dpbf16_ps(acc[r][c], as_pairs(w), as_pairs(v[c]));
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) _mm512_storeu_ps(out + r * state_stride + c * kLanes, acc[r][c]);
  }
}

template <int R, int C, bool kEdges>
inline void add_values(const AttentionBlock& args, const std::uint16_t* weights, const float* fade,
                       int from, int to, int first, float* state) {
  for (; first + C * kLanes <= args.stride; first += C * kLanes) {
    value_tile<R, C, kEdges>(weights, fade, args.values + first * 4, args.stride * 4, from, to,
                             state + kStateOut + first, args.state_stride);
  }
  if constexpr (C > 1) {
    if (first < args.stride)
      add_values<R, C / 2, kEdges>(args, weights, fade, from, to, first, state);
  }
}

// 2^x to 3e-6 for x <= 0; 0 below -150; a NaN stays one.
inline V exp2_of(V x) {
  x = _mm512_max_ps(_mm512_set1_ps(-200.0f), x);
  const V n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const V f = _mm512_sub_ps(x, n);
  V p = _mm512_set1_ps(9.5701019e-3f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.5917860e-2f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4024745e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9312181e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

inline __mmask64 visible(int from, int to) {
  const __mmask64 below = to == kKvBlockTokens ? ~__mmask64{0} : (__mmask64{1} << to) - 1;
  return below & (~__mmask64{0} << from);
}

// One row's scores through key scales and mask, and their maximum.
inline float most_score(const AttentionBlock& args, __mmask64 seen, float* scores) {
  V s[kGroups];
#pragma GCC unroll 4
  for (int g = 0; g < kGroups; ++g) {
    s[g] = _mm512_load_ps(scores + g * kLanes);
    if (args.key_scales != nullptr)
      s[g] = _mm512_mul_ps(s[g], _mm512_loadu_ps(args.key_scales + g * kLanes));
  }
  if (~seen != 0) {
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) {
      s[g] = _mm512_mask_blend_ps(static_cast<__mmask16>(seen >> g * kLanes),
                                  _mm512_set1_ps(-__builtin_inff()), s[g]);
    }
  }
  if (~seen != 0 || args.key_scales != nullptr) {
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) _mm512_store_ps(scores + g * kLanes, s[g]);
  }
  return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(s[0], s[1]), _mm512_max_ps(s[2], s[3])));
}

inline void weigh_scores(const AttentionBlock& args, __mmask64 seen, const float* scores,
                         float fade, std::uint16_t* weights, float* state) {
  const V most = _mm512_set1_ps(state[kStateMost]);
  V sum = _mm512_mul_ps(_mm512_loadu_ps(state + kStateSums), _mm512_set1_ps(fade));
#pragma GCC unroll 4
  for (int g = 0; g < kGroups; ++g) {
    V e = exp2_of(_mm512_sub_ps(_mm512_load_ps(scores + g * kLanes), most));
    sum = _mm512_add_ps(sum, e);
    if (args.value_scales != nullptr) {
      // The scales of positions that were never written may be anything.
      e = _mm512_maskz_mul_ps(static_cast<__mmask16>(seen >> g * kLanes), e,
                              _mm512_loadu_ps(args.value_scales + g * kLanes));
    }
    _mm256_store_si256(reinterpret_cast<__m256i*>(weights + g * kLanes),
                       __m256i(_mm512_cvtneps_pbh(e)));
  }
  _mm512_storeu_ps(state + kStateSums, sum);
}

template <int R>
inline void score_groups(const AttentionBlock& args, int groups, float* scores) {
  const auto* const q = static_cast<const std::uint16_t*>(args.q);
  const int pairs = (args.head_dim + 1) / 2;
  switch (groups) {
    case 1:
      return score_tile<R, 1>(q, args.q_stride, pairs, args.keys, scores);
    case 2:
      return score_tile<R, 2>(q, args.q_stride, pairs, args.keys, scores);
    case 3:
      return score_tile<R, 3>(q, args.q_stride, pairs, args.keys, scores);
    default:
      return score_tile<R, kGroups>(q, args.q_stride, pairs, args.keys, scores);
  }
}

template <int R>
inline void attend_rows(const AttentionBlock& args) {
  alignas(64) float scores[R * kKvBlockTokens];
  alignas(64) std::uint16_t weights[R * kKvBlockTokens];
  // Behind the last position that any row sees, scores are not needed.
  int last = 0;
  for (int r = 0; r < R; ++r) last = args.to[r] > last ? args.to[r] : last;
  score_groups<R>(args, (last + kLanes - 1) / kLanes, scores);
  alignas(64) float before[kLanes] = {}, most[kLanes] = {}, fade[kLanes];
  __mmask64 seen[R];
  bool all = true;
  for (int r = 0; r < R; ++r) {
    float* const state = args.state + r * args.state_stride;
    seen[r] = args.from[r] == args.to[r] ? 0 : visible(args.from[r], args.to[r]);
    all = all && ~seen[r] == 0;
    if (seen[r] == 0) continue;
    before[r] = state[kStateMost];
    const float here = most_score(args, seen[r], scores + r * kKvBlockTokens);
    state[kStateMost] = most[r] = before[r] > here ? before[r] : here;
  }
  _mm512_store_ps(fade, exp2_of(_mm512_sub_ps(_mm512_load_ps(before), _mm512_load_ps(most))));
  for (int r = 0; r < R; ++r) {
    if (seen[r] == 0) continue;
    weigh_scores(args, seen[r], scores + r * kKvBlockTokens, fade[r], weights + r * kKvBlockTokens,
                 args.state + r * args.state_stride);
  }
  constexpr int kWide = R <= 3 ? 8 : 4;
  if (all) {
    return add_values<R, kWide, false>(args, weights, fade, 0, kKvBlockTokens, 0, args.state);
  }
  for (int r = 0; r < R; ++r) {
    if (seen[r] == 0) continue;
    add_values<1, 8, true>(args, weights + r * kKvBlockTokens, fade + r, args.from[r], args.to[r],
                           0, args.state + r * args.state_stride);
  }
}

void attend_block(const AttentionBlock& args) {
  switch (args.rows) {
    case 1:
      return attend_rows<1>(args);
    case 2:
      return attend_rows<2>(args);
    case 3:
      return attend_rows<3>(args);
    case 4:
      return attend_rows<4>(args);
    case 5:
      return attend_rows<5>(args);
    case 6:
      return attend_rows<6>(args);
    default:
      return;
  }
}

void pack_query(const float* q, int n, float scale, std::uint16_t* to) {
  for (int i = 0; i < n; i += kLanes) {
    const int part = n - i < kLanes ? n - i : kLanes, padded = part + part % 2;
    const V x = _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << part) - 1u), q + i);
    const auto bits = __m256i(_mm512_cvtneps_pbh(_mm512_mul_ps(x, _mm512_set1_ps(scale))));
    _mm256_mask_storeu_epi16(to + i, static_cast<__mmask16>((1u << padded) - 1u), bits);
  }
}

inline V load_stored(KvElement element, const std::uint8_t* from, std::int64_t i) {
  switch (element) {
    case KvElement::kF32:
      return _mm512_loadu_ps(from + 4 * i);
    case KvElement::kF16:
      return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 2 * i)));
    case KvElement::kQ8:
      return _mm512_cvtepi32_ps(
          _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i))));
  }
  return _mm512_setzero_ps();
}

template <KvElement E>
inline void pack_stored(const std::uint8_t* from, int rows, int n, std::uint16_t* to) {
  // Of b's and a's halves side by side to a0 b0 a1 b1 ...
  alignas(64) std::uint16_t order[32];
  for (int i = 0; i < 16; ++i) {
    order[2 * i] = static_cast<std::uint16_t>(i);
    order[2 * i + 1] = static_cast<std::uint16_t>(16 + i);
  }
  const __m512i zip = _mm512_load_si512(order);
  for (int row = 0; row < rows; row += 2) {
    const std::int64_t first = std::int64_t{row} * n;
    for (int i = 0; i < n; i += kLanes) {
      const V a = load_stored(E, from, first + i);
      const V b = row + 1 < rows ? load_stored(E, from, first + n + i) : _mm512_setzero_ps();
      const auto both = __m512i(_mm512_cvtne2ps_pbh(b, a));
      _mm512_storeu_si512(to + first + 2 * i, _mm512_permutexvar_epi16(zip, both));
    }
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
  }
}

constexpr FastAttentionKernels kTable = {
    .block = attend_block,
    .pack_query = pack_query,
    .pack_pairs = pack_pairs,
};

}  // namespace

const FastAttentionKernels* avx512bf16_attention() {
  return avx512_kernels() != nullptr && __builtin_cpu_supports("avx512bf16") ? &kTable : nullptr;
}

}  // namespace ocellus::compute::cpu
