// Attention with bf16 products (vdpbf16ps): scores and weighted values are sums of pairs in f32,
// statistics of the softmax are f32 too. A row's sums are chains over pairs of head_dim and pairs
// of positions in order, whatever the rows beside it.
#include "compute/cpu/isa/avx512bf16/pairs.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

using V = __m512;

constexpr int kGroups = kKvBlockTokens / kLanes;

inline __m512bh as_pairs(__m512i bits) { return __m512bh(bits); }
inline __m512i load_pairs(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
// The pair at `from`, in every lane.
inline __m512i broadcast_pair(const std::uint16_t* from) {
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
      const __m512i x = broadcast_pair(q + r * q_stride + 2 * d);
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

// Pairs of positions that some row sees, [first, last), and those that every row sees wholly.
struct SeenPairs {
  int first, all_first, all_last, last;
};

// Which halves of pair j lie in [from, to): bit 0 and bit 1.
inline unsigned halves_of(int j, int from, int to) {
  const auto size = static_cast<unsigned>(to - from), at = static_cast<unsigned>(2 * j - from);
  return static_cast<unsigned>(at < size) | static_cast<unsigned>(at + 1 < size) << 1;
}
constexpr int kHalves[] = {0, 0xFFFF, ~0xFFFF, -1};

// C vectors of the outputs of R rows from `row` on: what is there (zero, where args.first_block)
// times `rescale` (null: times 1), then a chain over the pairs of positions. Where the rows do not
// see the same, values pass through a mask for each row, so that a position outside takes part in
// nothing.
template <int R, int C>
[[gnu::noinline]] void value_tile(const AttentionBlock& args, const SeenPairs& seen, int row,
                                  const std::uint16_t* weights, const float* rescale, int first) {
  const std::uint8_t* const values = args.values + first * 4;
  const std::int64_t pair_bytes = args.stride * 4, state_stride = args.state_stride;
  float* const out = args.state + row * state_stride + kStateOut + first;
  V acc[R][C];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      acc[r][c] = args.first_block ? _mm512_setzero_ps()
                                   : _mm512_loadu_ps(out + r * state_stride + c * kLanes);
    }
  }
  if (rescale != nullptr) {
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) acc[r][c] = _mm512_mul_ps(acc[r][c], _mm512_set1_ps(rescale[r]));
    }
  }
  const auto add_seen = [&](int j) {
    const std::uint8_t* const from = values + j * pair_bytes;
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const unsigned halves = halves_of(j, args.from[row + r], args.to[row + r]);
      if (halves == 0) continue;
      const __m512i w = broadcast_pair(weights + r * kKvBlockTokens + 2 * j);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const __m512i v =
            _mm512_and_si512(load_pairs(from + c * 64), _mm512_set1_epi32(kHalves[halves]));
        acc[r][c] = _mm512_dpbf16_ps(acc[r][c], as_pairs(w), as_pairs(v));
      }
    }
  };
  for (int j = seen.first; j < seen.all_first; ++j) add_seen(j);
  for (int j = seen.all_first; j < seen.all_last; ++j) {
    __m512i v[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) v[c] = load_pairs(values + j * pair_bytes + c * 64);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m512i w = broadcast_pair(weights + r * kKvBlockTokens + 2 * j);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c)
        acc[r][c] = _mm512_dpbf16_ps(acc[r][c], as_pairs(w), as_pairs(v[c]));
    }
  }
  for (int j = seen.all_last; j < seen.last; ++j) add_seen(j);
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) _mm512_storeu_ps(out + r * state_stride + c * kLanes, acc[r][c]);
  }
}

template <int R, int C>
inline void add_values(const AttentionBlock& args, const SeenPairs& seen, int row,
                       const std::uint16_t* weights, const float* rescale, int first) {
  for (; first + C * kLanes <= args.stride; first += C * kLanes)
    value_tile<R, C>(args, seen, row, weights, rescale, first);
  if constexpr (C > 1) {
    if (first < args.stride) add_values<R, C / 2>(args, seen, row, weights, rescale, first);
  }
}

// 2^x to 3e-6 for x <= 0, 1 for 0; a NaN stays one.
inline V exp2_of(V x) {
  const V f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);  // x - floor(x)
  V p = _mm512_set1_ps(1.3426763e-2f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.2242346e-2f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4128027e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9304484e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, x);  // times 2^floor(x)
}

inline __mmask64 visible(int from, int to) {
  if (from == to) return 0;
  const __mmask64 below = to == kKvBlockTokens ? ~__mmask64{0} : (__mmask64{1} << to) - 1;
  return below & (~__mmask64{0} << from);
}

// One row's scores of G groups through key scales and mask, and their maximum by lanes.
template <int G>
inline V max_scores(const AttentionBlock& args, __mmask64 seen, float* scores) {
  constexpr __mmask64 kAll = G == kGroups ? ~__mmask64{0} : (__mmask64{1} << (G * kLanes)) - 1;
  V s[G];
#pragma GCC unroll 4
  for (int g = 0; g < G; ++g) s[g] = _mm512_load_ps(scores + g * kLanes);
  if (seen != kAll || args.key_scales != nullptr) {
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g) {
      if (args.key_scales != nullptr)
        s[g] = _mm512_mul_ps(s[g], _mm512_loadu_ps(args.key_scales + g * kLanes));
      s[g] = _mm512_mask_blend_ps(static_cast<__mmask16>(seen >> g * kLanes),
                                  _mm512_set1_ps(-__builtin_inff()), s[g]);
      _mm512_store_ps(scores + g * kLanes, s[g]);
    }
  }
  if constexpr (G == 1) return s[0];
  if constexpr (G == 2) return _mm512_max_ps(s[0], s[1]);
  if constexpr (G == 3) return _mm512_max_ps(_mm512_max_ps(s[0], s[1]), s[2]);
  return _mm512_max_ps(_mm512_max_ps(s[0], s[1]), _mm512_max_ps(s[2], s[kGroups - 1]));
}

inline V max_halves(V a, V b) {
  return _mm512_max_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
}

// The largest lane of each of sixteen vectors, as one vector.
inline V max_lanes(const V* v) {
  V two[8], four[4];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    two[i] = _mm512_max_ps(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]),
                           _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512d a = _mm512_castps_pd(two[2 * i]), b = _mm512_castps_pd(two[2 * i + 1]);
    four[i] = _mm512_max_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                            _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  }
  return max_halves(max_halves(four[0], four[1]), max_halves(four[2], four[3]));
}

// Softmax of the scores of G groups. Sets the factors of the rows' outputs so far.
template <int G>
[[gnu::noinline]] void softmax(const AttentionBlock& args, const __mmask64* seen, float* scores,
                               std::uint16_t* weights, float* rescale) {
  alignas(64) float row_max[kLanes];
  V lanes[kLanes];
  std::uint32_t any = 0;
  for (int r = 0; r < args.rows; ++r) {
    any |= static_cast<std::uint32_t>(seen[r] != 0) << r;
    lanes[r] = max_scores<G>(args, seen[r], scores + r * kKvBlockTokens);
  }
  for (int r = args.rows; r < kLanes; ++r) lanes[r] = lanes[0];
  const V before = _mm512_load_ps(rescale), max = _mm512_max_ps(before, max_lanes(lanes));
  // A row that sees nothing stays as it is.
  _mm512_store_ps(rescale, _mm512_mask_blend_ps(static_cast<__mmask16>(any), _mm512_set1_ps(1.0f),
                                                exp2_of(_mm512_sub_ps(before, max))));
  _mm512_store_ps(row_max, max);
  for (int r = 0; r < args.rows; ++r) {
    if (seen[r] == 0) continue;
    float* const state = args.state + r * args.state_stride;
    const float* const from = scores + r * kKvBlockTokens;
    const V here = _mm512_set1_ps(row_max[r]);
    V e[G + G % 2];
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g)
      e[g] = exp2_of(_mm512_sub_ps(_mm512_load_ps(from + g * kLanes), here));
    if constexpr (G % 2 != 0) e[G] = _mm512_setzero_ps();
    V sum = args.first_block
                ? _mm512_setzero_ps()
                : _mm512_mul_ps(_mm512_loadu_ps(state + kStateSums), _mm512_set1_ps(rescale[r]));
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g) sum = _mm512_add_ps(sum, e[g]);
    _mm512_storeu_ps(state + kStateSums, sum);
    state[kStateMax] = row_max[r];
    if (args.value_scales != nullptr) {
#pragma GCC unroll 4
      for (int g = 0; g < G; ++g) {
        // Scales of slots that were never written may be NaN.
        e[g] = _mm512_maskz_mul_ps(static_cast<__mmask16>(seen[r] >> g * kLanes), e[g],
                                   _mm512_loadu_ps(args.value_scales + g * kLanes));
      }
    }
#pragma GCC unroll 2
    for (int g = 0; g < G; g += 2) {
      _mm512_store_si512(weights + r * kKvBlockTokens + g * kLanes,
                         __m512i(_mm512_cvtne2ps_pbh(e[g + 1], e[g])));
    }
  }
}

SeenPairs seen_pairs(const AttentionBlock& args, int first, int rows) {
  if (args.unmasked) return {0, 0, kKvBlockTokens / 2, kKvBlockTokens / 2};
  int from = kKvBlockTokens, to = 0, all_from = 0, all_to = kKvBlockTokens;
  for (int r = first; r < first + rows; ++r) {
    const bool any = args.from[r] < args.to[r];
    const int begin = any ? args.from[r] : kKvBlockTokens, end = any ? args.to[r] : 0;
    from = begin < from ? begin : from;
    to = end > to ? end : to;
    all_from = begin > all_from ? begin : all_from;
    all_to = end < all_to ? end : all_to;
  }
  const int last = (to + 1) / 2, all_first = (all_from + 1) / 2, all_last = all_to / 2;
  if (all_first >= all_last) return {from / 2, last, last, last};
  return {from / 2, all_first, all_last, last};
}

template <int R>
void score_rows(const AttentionBlock& args, int first, int groups, float* scores) {
  const auto* const q = static_cast<const std::uint16_t*>(args.q) + first * args.q_stride;
  const int pairs = (args.head_dim + 1) / 2;
  float* const to = scores + first * kKvBlockTokens;
  switch (groups) {
    case 1:
      return score_tile<R, 1>(q, args.q_stride, pairs, args.keys, to);
    case 2:
      return score_tile<R, 2>(q, args.q_stride, pairs, args.keys, to);
    case 3:
      return score_tile<R, 3>(q, args.q_stride, pairs, args.keys, to);
    default:
      return score_tile<R, kGroups>(q, args.q_stride, pairs, args.keys, to);
  }
}

template <int R>
void add_rows(const AttentionBlock& args, int first, const std::uint16_t* weights,
              const float* rescale) {
  bool rescales = false;
  for (int r = 0; r < R; ++r) rescales = rescales || rescale[first + r] != 1.0f;
  add_values<R, (R <= 2 ? 8 : 4)>(args, seen_pairs(args, first, R), first,
                                  weights + first * kKvBlockTokens,
                                  rescales && !args.first_block ? rescale + first : nullptr, 0);
}

struct RowTile {
  void (*score)(const AttentionBlock& args, int first, int groups, float* scores);
  void (*add)(const AttentionBlock& args, int first, const std::uint16_t* weights,
              const float* rescale);
};
constexpr RowTile kRowTiles[] = {{score_rows<1>, add_rows<1>}, {score_rows<2>, add_rows<2>},
                                 {score_rows<3>, add_rows<3>}, {score_rows<4>, add_rows<4>},
                                 {score_rows<5>, add_rows<5>}, {score_rows<6>, add_rows<6>}};
constexpr int kTileRows = 6;

// Two tiles of rows together: the softmax of one fills the time that the other waits.
void attend_block(const AttentionBlock& args) {
  alignas(64) float scores[kBf16AttentionRows * kKvBlockTokens];
  alignas(64) std::uint16_t weights[kBf16AttentionRows * kKvBlockTokens];
  alignas(64) float rescale[kLanes] = {};
  __mmask64 seen[kBf16AttentionRows];
  int last = args.unmasked ? kKvBlockTokens : 1;
  for (int r = 0; r < args.rows; ++r) {
    float* const state = args.state + r * args.state_stride;
    rescale[r] = args.first_block ? -__builtin_inff() : state[kStateMax];
    seen[r] = args.unmasked ? ~__mmask64{0} : visible(args.from[r], args.to[r]);
    if (args.first_block && seen[r] == 0) {
      state[kStateMax] = -__builtin_inff();
      _mm512_storeu_ps(state + kStateSums, _mm512_setzero_ps());
    }
    if (!args.unmasked) last = args.to[r] > last && seen[r] != 0 ? args.to[r] : last;
  }
  // Scores after the last slot that any row sees are not needed.
  const int groups = (last + kLanes - 1) / kLanes;
  const int tiles = args.rows > kTileRows ? 2 : 1, high = (args.rows + tiles - 1) / tiles;
  for (int first = 0; first < args.rows; first += high) {
    const int rows = args.rows - first < high ? args.rows - first : high;
    kRowTiles[rows - 1].score(args, first, groups, scores);
  }
  switch (groups) {
    case 1:
      softmax<1>(args, seen, scores, weights, rescale);
      break;
    case 2:
      softmax<2>(args, seen, scores, weights, rescale);
      break;
    case 3:
      softmax<3>(args, seen, scores, weights, rescale);
      break;
    default:
      softmax<kGroups>(args, seen, scores, weights, rescale);
  }
  for (int first = 0; first < args.rows; first += high) {
    const int rows = args.rows - first < high ? args.rows - first : high;
    kRowTiles[rows - 1].add(args, first, weights, rescale);
  }
}

// The lanes' sum in the order of vector_math.inc: halves, quarters, pairs.
inline float sum_lanes(V v) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

void close_range(float* state) {
  state[kStateTotal] = sum_lanes(_mm512_loadu_ps(state + kStateSums));
}

void finish_attention(const float* state, int n, float* out) {
  const V by = _mm512_set1_ps(1.0f / state[kStateTotal]);
  for (int i = 0; i < n; i += kLanes) {
    const auto part = static_cast<__mmask16>(n - i < kLanes ? (1u << (n - i)) - 1u : 0xFFFFu);
    _mm512_mask_storeu_ps(out + i, part, _mm512_mul_ps(_mm512_loadu_ps(state + kStateOut + i), by));
  }
}

constexpr Bf16AttentionKernels kTable = {
    .block = attend_block,
    .close = close_range,
    .finish = finish_attention,
    .pack_query = pack_query,
    .pack_pairs = pack_pairs,
    .store = store_pairs,
};

}  // namespace

const Bf16AttentionKernels* avx512bf16_attention() { return has_avx512bf16() ? &kTable : nullptr; }

}  // namespace ocellus::compute::cpu
