// The loops of AttentionKernels over the vector V.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after
// compute/cpu/attention/kernels.h, the instruction set's vector-inl.h and isa/vector_math-inl.h,
// with
//   store_half(uint16*, V), store_bytes(int8*, V of whole numbers from -127 to 127),
//   transpose(V (&)[16])            lane j of vector i becomes lane i of vector j
//   constexpr int kAttentionVectors vectors that the registers hold
// Any instruction set. Defines kAttentionTable.

// Vectors of one row of a register tile of `rows` rows: as many as leave room for the operands.
constexpr int wide_tile(int rows) {
  for (int wide = 8; wide > 1; wide /= 2) {
    const int operands = rows == 1 ? 2 : wide;
    if (rows * wide + operands < kAttentionVectors) return wide;
  }
  return 1;
}
template <int R>
constexpr int kWide = wide_tile(R);
constexpr int kBlockVectors = kKvBlockTokens / kLanes;

template <KvElement E>
inline V load_stored(const std::uint8_t* from, std::int64_t i) {
  if constexpr (E == KvElement::kF32) return load(reinterpret_cast<const float*>(from) + i);
  if constexpr (E == KvElement::kF16)
    return load_half(reinterpret_cast<const std::uint16_t*>(from) + i);
  if constexpr (E == KvElement::kQ8)
    return load_bytes(reinterpret_cast<const std::int8_t*>(from) + i);
}

constexpr int stored_bytes(KvElement element) {
  return element == KvElement::kF32 ? 4 : element == KvElement::kF16 ? 2 : 1;
}

// Prefetches while there is arithmetic to do. One row takes less time than reading: it prefetches
// closely ahead (values follow their keys in memory, the next head's keys follow these). Several
// rows prefetch N vectors at i of what is read next.
template <int R, int N, KvElement E>
inline void prefetch(const std::uint8_t* here, const std::uint8_t* next, std::int64_t i) {
  constexpr int kBytes = N * kLanes * stored_bytes(E), kClose = 640;
  const std::uint8_t* const from = (R == 1 ? here + kClose : next) + i * stored_bytes(E);
#pragma GCC unroll 8
  for (int b = 0; b < kBytes; b += 64) __builtin_prefetch(from + b, 0, 2);
}

// Sums of G * 16 positions for R rows, one chain over head_dim each.
template <int R, int G, KvElement E>
[[gnu::noinline]] void score_tile(const AttentionBlock& args, int first, float* scores) {
  const auto* const q = static_cast<const float*>(args.q);
  const int q_stride = args.q_stride, head_dim = args.head_dim;
  const std::uint8_t *const keys = args.keys, *const next = args.values;
  V acc[R][G];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int g = 0; g < G; ++g) acc[r][g] = zero();
  }
  for (int d = 0; d < head_dim; ++d) {
    const std::int64_t at = std::int64_t{d} * kKvBlockTokens + first;
    prefetch<R, G, E>(keys, next, at);
    if constexpr (R == 1) {  // each key is used once: it needs no register of its own
      const V x = set1(q[d]);
#pragma GCC unroll 8
      for (int g = 0; g < G; ++g)
        acc[0][g] = fma(x, load_stored<E>(keys, at + g * kLanes), acc[0][g]);
      continue;
    }
    V k[G];
#pragma GCC unroll 8
    for (int g = 0; g < G; ++g) k[g] = load_stored<E>(keys, at + g * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const V x = set1(q[r * q_stride + d]);
#pragma GCC unroll 8
      for (int g = 0; g < G; ++g) acc[r][g] = fma(x, k[g], acc[r][g]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int g = 0; g < G; ++g) store(scores + r * kKvBlockTokens + first + g * kLanes, acc[r][g]);
  }
}

// The weights of some rows after the softmax.
struct WeightedRows {
  const float* weights;  // [rows][64]
  const float* rescale;  // [rows]: factors of the outputs so far
  int from, to;          // slots of the block
  float* state;          // the rows' records
};

// C vectors from `first` on of the outputs of R rows: what is there times `rescale`, then one chain
// over the slots [from, to).
template <int R, int C, KvElement E>
[[gnu::noinline]] void value_tile(const AttentionBlock& args, const WeightedRows& rows, int first) {
  const float *const weights = rows.weights, *const rescale = rows.rescale;
  const int skip = first * stored_bytes(E), stride = args.stride, from = rows.from, to = rows.to;
  const int state_stride = args.state_stride;
  const std::uint8_t *const values = args.values + skip, *const next = args.next_keys + skip;
  float* const out = rows.state + kStateOut + first;
  V acc[R][C];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
      acc[r][c] = mul(load(out + r * state_stride + c * kLanes), set1(rescale[r]));
  }
  for (int j = from; j < to; ++j) {
    const std::int64_t at = std::int64_t{j} * stride;
    prefetch<R, C, E>(values, next, at);
    if constexpr (R == 1) {
      const V w = set1(weights[j]);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c)
        acc[0][c] = fma(w, load_stored<E>(values, at + c * kLanes), acc[0][c]);
      continue;
    }
    V v[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) v[c] = load_stored<E>(values, at + c * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const V w = set1(weights[r * kKvBlockTokens + j]);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) acc[r][c] = fma(w, v[c], acc[r][c]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) store(out + r * state_stride + c * kLanes, acc[r][c]);
  }
}

// All vectors of the outputs from `first` on, C at a time, the rest with narrower tiles.
template <int R, int C, KvElement E>
inline void add_values(const AttentionBlock& args, const WeightedRows& rows, int first = 0) {
  for (; first + C * kLanes <= args.stride; first += C * kLanes)
    value_tile<R, C, E>(args, rows, first);
  if constexpr (C > 1) {
    if (first < args.stride) add_values<R, C / 2, E>(args, rows, first);
  }
}

// The largest lane, as a fixed tree.
inline float max_lane(V v) {
  alignas(64) float lane[kLanes];
  store(lane, v);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] = lane[i] > lane[i + width] ? lane[i] : lane[i + width];
  }
  return lane[0];
}

// Softmax of one row's scores: they become its weights. Returns the factor of its output so far.
inline float softmax_row(const AttentionBlock& args, int from, int to, float* scores,
                         float* state) {
  V s[kBlockVectors];
#pragma GCC unroll 4
  for (int g = 0; g < kBlockVectors; ++g) {
    s[g] = load(scores + g * kLanes);
    if (args.key_scales != nullptr) s[g] = mul(s[g], load(args.key_scales + g * kLanes));
    s[g] = mul(s[g], set1(args.scale));
  }
  if (to - from < kKvBlockTokens) {
    for (int g = 0; g < kBlockVectors; ++g) store(scores + g * kLanes, s[g]);
    for (int j = 0; j < from; ++j) scores[j] = -__builtin_inff();
    for (int j = to; j < kKvBlockTokens; ++j) scores[j] = -__builtin_inff();
    for (int g = 0; g < kBlockVectors; ++g) s[g] = load(scores + g * kLanes);
  }
  const float here = max_lane(max_of(max_of(s[0], s[1]), max_of(s[2], s[3])));
  const float before = state[kStateMax], max = before > here ? before : here;
  state[kStateMax] = max;
  alignas(64) float rescale[kLanes];
  store(rescale, exp_of(set1(before - max)));
  V sum = mul(load(state + kStateSums), load(rescale));
#pragma GCC unroll 4
  for (int g = 0; g < kBlockVectors; ++g) {
    V e = exp_of(sub(s[g], set1(max)));
    sum = add(sum, e);
    if (args.value_scales != nullptr) e = mul(e, load(args.value_scales + g * kLanes));
    store(scores + g * kLanes, e);
  }
  store(state + kStateSums, sum);
  return rescale[0];
}

template <int R, KvElement E>
inline void attend_rows(const AttentionBlock& args) {
  alignas(64) float scores[R * kKvBlockTokens];
  // Scores after the last slot that any row sees are not needed.
  int last = 0;
  for (int r = 0; r < R; ++r) last = args.to[r] > last ? args.to[r] : last;
  constexpr int kGroups = kWide<R> < kBlockVectors ? kWide<R> : kBlockVectors;
  if (last <= kLanes) {
    score_tile<R, 1, E>(args, 0, scores);
  } else {
    for (int first = 0; first < last; first += kGroups * kLanes)
      score_tile<R, kGroups, E>(args, first, scores);
  }
  float rescale[R];
  bool all = true;
  for (int r = 0; r < R; ++r) {
    all = all && args.from[r] == 0 && args.to[r] == kKvBlockTokens;
    if (args.from[r] == args.to[r]) continue;
    rescale[r] = softmax_row(args, args.from[r], args.to[r], scores + r * kKvBlockTokens,
                             args.state + r * args.state_stride);
  }
  if (all) {
    return add_values<R, kWide<R>, E>(args, {scores, rescale, 0, kKvBlockTokens, args.state});
  }
  for (int r = 0; r < R; ++r) {
    if (args.from[r] == args.to[r]) continue;
    add_values<1, kWide<1>, E>(args, {scores + r * kKvBlockTokens, rescale + r, args.from[r],
                                      args.to[r], args.state + r * args.state_stride});
  }
}

template <KvElement E>
inline void attend_stored(const AttentionBlock& args) {
  switch (args.rows) {
    case 1:
      return attend_rows<1, E>(args);
    case 2:
      return attend_rows<2, E>(args);
    case 3:
      return attend_rows<3, E>(args);
    case 4:
      return attend_rows<4, E>(args);
    case 5:
      return attend_rows<5, E>(args);
    case 6:
      return attend_rows<6, E>(args);
    default:
      return;
  }
}

void attend_block(const AttentionBlock& args) {
  switch (args.element) {
    case KvElement::kF32:
      return attend_stored<KvElement::kF32>(args);
    case KvElement::kF16:
      return attend_stored<KvElement::kF16>(args);
    case KvElement::kQ8:
      return attend_stored<KvElement::kQ8>(args);
    case KvElement::kPairs:
      return;  // Bf16AttentionKernels
  }
}

void close_range(float* state) { state[kStateTotal] = sum_lanes(load(state + kStateSums)); }

void merge_ranges(const float* part, int stride, float unit, float* into) {
  const float old = into[kStateMax], here = part[kStateMax];
  const float max = old > here ? old : here;
  const V a = exp_of(set1((old - max) * unit)), b = exp_of(set1((here - max) * unit));
  alignas(64) float total[kLanes];
  store(total, fma(set1(part[kStateTotal]), b, mul(set1(into[kStateTotal]), a)));
  into[kStateMax] = max;
  into[kStateTotal] = total[0];
  for (int i = kStateOut; i < kStateOut + stride; i += kLanes)
    store(into + i, fma(load(part + i), b, mul(load(into + i), a)));
}

void finish_attention(const float* state, int n, float* out) {
  const V total = set1(state[kStateTotal]);
  for (int i = 0; i < n; i += kLanes)
    store_part(out + i, div(load(state + kStateOut + i), total), part_at(i, n));
}

template <KvElement E>
inline void expand_values(const std::uint8_t* from, std::int64_t n, float* to) {
  for (std::int64_t i = 0; i < n; i += kLanes) store(to + i, load_stored<E>(from, i));
}

void expand_stored(KvElement element, const std::uint8_t* from, std::int64_t n, float* to) {
  switch (element) {
    case KvElement::kF32:
      return expand_values<KvElement::kF32>(from, n, to);
    case KvElement::kF16:
      return expand_values<KvElement::kF16>(from, n, to);
    case KvElement::kQ8:
      return expand_values<KvElement::kQ8>(from, n, to);
    case KvElement::kPairs:
      return;  // Bf16AttentionKernels
  }
}

// 127 / the largest magnitude of a row; `scale` is its inverse.
inline float byte_factor(const float* row, int n, float* scale) {
  V max = zero();
  for (int i = 0; i < n; i += kLanes) {
    const V x = load_part(row + i, part_at(i, n));
    max = max_of(max, max_of(x, sub(zero(), x)));
  }
  const float largest = max_lane(max);
  *scale = largest / 127.0f;
  const float factor = 127.0f / largest;
  // Where the factor overflows (all values zero, or nearly), bytes are zero.
  return factor <= 3.4e38f ? factor : 0.0f;
}

template <KvElement E>
inline void store_converted(std::uint8_t* to, std::int64_t i, V x, V factor) {
  if constexpr (E == KvElement::kF32) store(reinterpret_cast<float*>(to) + i, x);
  if constexpr (E == KvElement::kF16) store_half(reinterpret_cast<std::uint16_t*>(to) + i, x);
  if constexpr (E == KvElement::kQ8) {
    const V rounded = nearest(mul(x, factor));
    // A NaN becomes the first bound: the second operand when unordered.
    store_bytes(reinterpret_cast<std::int8_t*>(to) + i,
                min_of(max_of(rounded, set1(-127.0f)), set1(127.0f)));
  }
}

// Sixteen keys from `first` on, transposed in registers.
template <KvElement E>
inline void store_sixteen_keys(const KvRun& run, int first, const float* factor) {
  const V by = load(factor);
  for (int d = 0; d < run.head_dim; d += kLanes) {
    const auto dims = static_cast<int>(part_at(d, run.head_dim));
    V v[kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) v[i] = load_part(run.k + (first + i) * run.k_stride + d, dims);
    transpose(v);
    const std::int64_t to = std::int64_t{d} * kKvBlockTokens + run.token + first;
    if (dims == kLanes) {
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i)
        store_converted<E>(run.keys, to + i * kKvBlockTokens, v[i], by);
    } else {
      for (int i = 0; i < dims; ++i)
        store_converted<E>(run.keys, to + i * kKvBlockTokens, v[i], by);
    }
  }
}

template <KvElement E, typename T>
inline void store_key(const KvRun& run, int at, float factor) {
  auto* const to = reinterpret_cast<T*>(run.keys) + run.token + at;
  for (int d = 0; d < run.head_dim; d += kLanes) {
    alignas(64) T part[kLanes];
    const std::int64_t dims = part_at(d, run.head_dim);
    store_converted<E>(reinterpret_cast<std::uint8_t*>(part), 0,
                       load_part(run.k + at * run.k_stride + d, dims), set1(factor));
    for (int i = 0; i < dims; ++i) to[std::int64_t{d + i} * kKvBlockTokens] = part[i];
  }
}

template <KvElement E, typename T>
inline void store_run(const KvRun& run) {
  for (int t = 0; t < run.tokens; t += kLanes) {
    const auto tokens = static_cast<int>(part_at(t, run.tokens));
    alignas(64) float factor[kLanes] = {};
    if constexpr (E == KvElement::kQ8) {
      for (int i = 0; i < tokens; ++i)
        factor[i] = byte_factor(run.k + (t + i) * run.k_stride, run.head_dim,
                                run.key_scales + run.token + t + i);
    }
    if (tokens == kLanes) {
      store_sixteen_keys<E>(run, t, factor);
    } else {
      for (int i = 0; i < tokens; ++i) store_key<E, T>(run, t + i, factor[i]);
    }
    for (int i = 0; i < tokens; ++i) {
      const float* const row = run.v + (t + i) * run.v_stride;
      const int token = run.token + t + i;
      float by = 0;
      if constexpr (E == KvElement::kQ8)
        by = byte_factor(row, run.head_dim, run.value_scales + token);
      // Up to the stride: padding is multiplied too, and must not be NaN.
      for (int c = 0; c < run.stride; c += kLanes) {
        store_converted<E>(run.values, std::int64_t{token} * run.stride + c,
                           load_part(row + c, part_at(c, run.head_dim)), set1(by));
      }
    }
  }
}

void store_positions(const KvRun& run) {
  switch (run.element) {
    case KvElement::kF32:
      return store_run<KvElement::kF32, float>(run);
    case KvElement::kF16:
      return store_run<KvElement::kF16, std::uint16_t>(run);
    case KvElement::kQ8:
      return store_run<KvElement::kQ8, std::int8_t>(run);
    case KvElement::kPairs:
      return;  // Bf16AttentionKernels
  }
}

constexpr AttentionKernels kAttentionTable = {
    .block = attend_block,
    .close = close_range,
    .merge = merge_ranges,
    .finish = finish_attention,
    .expand = expand_stored,
    .store = store_positions,
};
