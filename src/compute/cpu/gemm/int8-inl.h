// Register tiles of 8-bit products, and the rounding of rows for them.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after
// compute/cpu/gemm/int8_kernels.h and isa/vector_math-inl.h, with
//   constexpr int kInt8TileVectors   vectors of outputs in a register tile: 1 or 2
//   OCELLUS_INT8_ROWS                rows of a register tile: 4, 6 or 12
// and, beside V, these vectors, which each instruction set defines. Any instruction set.
//   I  sixteen i32 lanes: set_i, to_float, add_i, shift_left_i, broadcast_i (of one number), load_i
//      and store_i (as bits in memory for f32);
//   W  64 unsigned bytes, four values of k for each lane: load_w, store_w, and_w, or_w, add_w,
//      shift_right_w, shift_left_w (by bits within 16-bit words), or_where(64-bit mask, w, byte),
//      byte_of(w, j) as V; max_w, min_w (by bytes), max_byte, min_byte (of each lane's
//      four, as V); words_of(V whole numbers modulo 2^16: twice in each lane), rescale(w, m, o):
//      the high byte of byte * m + o modulo 2^16;
//   B  four activations, the same in every lane: broadcast; dot(I, W, B) for bytes below 64;
//   W8  bytes of 8-bit weights, ready for dot8: as_w8, dot8, acc_init8(neg_sums): what a sum begins
//      with, as I: some instruction sets multiply q - 128 itself, others need -128 * sum;
//   TileW, TileB  the same for tiles, kTileValueBytes bytes for each weight and activation:
//      load_tile_w, tile_dot, interleave_values, broadcast_tile; kWidenI16, Int8Kernels::widen_i16;
//      row_acc_init(a group's q and neg_sums), tile_acc_init(that, the panel's acc_init, index of
//      the outputs);
//   max_lane, all_zero (of a V, -0 too), store_bytes(V whole numbers, int8*), sum_bytes(int8*)
//   of sixteen.

void round_row(const float* x, std::int64_t n, std::int8_t* q, float* scales,
               std::int32_t* neg_sums) {
  for (std::int64_t first = 0; first < n; first += kGroup, x += kGroup, q += kGroup) {
    const std::int64_t count = n - first < kGroup ? n - first : kGroup;
    V value[kGroup / kLanes], max = zero(), poison = zero();
#pragma GCC unroll 8
    for (int i = 0; i < kGroup / kLanes; ++i) {
      const std::int64_t left = count - i * kLanes;
      value[i] = left >= kLanes ? load(x + i * kLanes)
                 : left > 0     ? load_part(x + i * kLanes, left)
                                : zero();
      max = max_of(magnitude(value[i]), max);
      poison = fma(value[i], zero(), poison);  // 0, or NaN where a value is not finite
    }
    const float largest = max_lane(max);
    const bool finite = all_zero(poison);
    *scales++ = finite ? largest / 127.0f : __builtin_nanf("");
    // Values so small that the inverse overflows become zero.
    const float inverse = largest > 1e-36f ? 127.0f / largest : 0.0f;
    const V factor = set1(finite ? inverse : 0.0f);
#pragma GCC unroll 8
    for (int i = 0; i < kGroup / kLanes; ++i) {
      store_bytes(finite ? nearest(mul(value[i], factor)) : zero(), q + i * kLanes);
      const std::int32_t sum = sum_bytes(q + i * kLanes);
      std::int32_t* const to = neg_sums + i / 2 * kSums;
      to[i % 2] = -sum;
      to[2] = i % 2 == 0 ? -sum : to[2] - sum;
      to[3] = 0;
    }
    neg_sums += kGroup / kSubBlock * kSums;
  }
}

constexpr int kFour = 4 * kTileValueBytes;  // bytes of four values

// R rows, C vectors of outputs: R * C accumulators that must stay in registers.
template <int R, int C>
inline void int8_tile_fixed(const Int8Tile& a, const Int8Panel& panel, int from, std::int64_t depth,
                            bool add_to, float* c) {
  const std::int8_t* x = a.q;
  const float *row_scales = a.scales, *scales = panel.scales + from;
  const std::int32_t* acc_init = a.acc_init;
  for (std::int64_t k = 0, group = 0; k < depth; k += kGroup, ++group) {
    const std::uint8_t* w = panel.q + group * panel.group_bytes + from * kFour;
    if (kTileValueBytes > 1 && from == 0) {
      // Rows of 16 bits do not stay in the L2.
      for (int i = 0; i < R * kGroup * kTileValueBytes; i += 64)
        __builtin_prefetch(x + a.next + i, 0, 2);
    }
    I acc[R][C];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < C; ++v)
        acc[r][v] = tile_acc_init(acc_init[r], panel.acc_init, group * kPanel + from + v * kLanes);
    }
    const std::int64_t steps = (depth - k < kGroup ? depth - k : kGroup) / 4;
    for (std::int64_t step = 1; step < steps; ++step) {
      TileW values[C];
#pragma GCC unroll 2
      for (int v = 0; v < C; ++v) values[v] = load_tile_w(w + v * kLanes * kFour);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        const TileB four = broadcast_tile(x + r * kFour);
#pragma GCC unroll 2
        for (int v = 0; v < C; ++v) acc[r][v] = tile_dot(acc[r][v], values[v], four);
      }
      w += kPanel * kFour;
      x += R * kFour;
    }
    // Each row's sums follow its last products at once: all sums after all products would leave the
    // multipliers idle.
    TileW values[C];
#pragma GCC unroll 2
    for (int v = 0; v < C; ++v) values[v] = load_tile_w(w + v * kLanes * kFour);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const TileB four = broadcast_tile(x + r * kFour);
      const V row_scale = set1(row_scales[r]);
#pragma GCC unroll 2
      for (int v = 0; v < C; ++v) {
        acc[r][v] = tile_dot(acc[r][v], values[v], four);
        float* const to = c + r * kPanel + from + v * kLanes;
        const V before = add_to ? load(to) : zero();
        const V scale = mul(load(scales + v * kLanes), row_scale);
        store(to, fma(to_float(acc[r][v]), scale, before));
      }
      asm volatile("" ::: "memory");  // in this order
    }
    x += R * kFour;
    add_to = true;
    row_scales += R, acc_init += R, scales += kPanel;
  }
}

template <int R>
inline void int8_tile_of(const Int8Tile& a, const Int8Panel& w, std::int64_t depth, bool add,
                         float* c) {
  for (int v = 0; v < kPanel / kLanes; v += kInt8TileVectors)
    int8_tile_fixed<R, kInt8TileVectors>(a, w, v * kLanes, depth, add, c);
}

void int8_tile(const Int8Tile& a, const Int8Panel& w, std::int64_t depth, bool add, float* c) {
  switch (a.rows) {
    case 1:
      return int8_tile_of<1>(a, w, depth, add, c);
    case 2:
      return int8_tile_of<2>(a, w, depth, add, c);
    case 3:
      return int8_tile_of<3>(a, w, depth, add, c);
    case 4:
      return int8_tile_of<4>(a, w, depth, add, c);
#if OCELLUS_INT8_ROWS > 4
    case 5:
      return int8_tile_of<5>(a, w, depth, add, c);
    case 6:
      return int8_tile_of<6>(a, w, depth, add, c);
#endif
#if OCELLUS_INT8_ROWS > 6
    case 7:
      return int8_tile_of<7>(a, w, depth, add, c);
    case 8:
      return int8_tile_of<8>(a, w, depth, add, c);
    case 9:
      return int8_tile_of<9>(a, w, depth, add, c);
    case 10:
      return int8_tile_of<10>(a, w, depth, add, c);
    case 11:
      return int8_tile_of<11>(a, w, depth, add, c);
    case 12:
      return int8_tile_of<12>(a, w, depth, add, c);
#endif
    default:
      return;
  }
}

void interleave_rows(const RoundedRows& source, std::int8_t* out, std::int32_t* acc_init) {
  const auto& [q, neg_sums, stride, depth, rows] = source;
  interleave_values(q, stride, depth, rows, out);
  for (std::int64_t k = 0; k < depth; k += kGroup) {
    for (int r = 0; r < rows; ++r) {
      *acc_init++ =
          row_acc_init(q + r * stride + k, neg_sums + (r * depth + k) / kSubBlock * kSums);
    }
  }
}
