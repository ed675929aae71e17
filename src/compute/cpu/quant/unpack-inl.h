// Quantised weights of 32 rows, unpacked from the planes of quant_panel.h: to f32, and to 8 bits
// with one scale for each kGroup values.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after compute/cpu/quant/chunk.h and
// the vectors V, I and W that gemm/int8-inl.h lists. Any instruction set.

// The vectors of one sub-block: vector 2 i + h holds values 4 i to 4 i + 3 of rows 16 h to 16 h
// + 15.
constexpr int kSubBlockVectors = kSubBlock / 4 * kPanel / kLanes;

template <int kLow, int kHigh>
inline void unpack(const std::uint8_t* planes, W* w) {
  if constexpr (kLow == 8) {
#pragma GCC unroll 16
    for (int z = 0; z < kSubBlockVectors; ++z) w[z] = load_w(planes + z * 64);
  } else if constexpr (kLow == 4) {
#pragma GCC unroll 8
    for (int i = 0; i < kSubBlockVectors / 2; ++i) {
      const W both = load_w(planes + i * 64);
      w[i / 2 * 4 + i % 2] = and_w(both, 15);
      w[i / 2 * 4 + 2 + i % 2] = and_w(shift_right_w<4>(both), 15);
    }
  } else {
#pragma GCC unroll 4
    for (int i = 0; i < kSubBlockVectors / 4; ++i) {
      const W four = load_w(planes + i * 64);
      w[i * 4] = and_w(four, 3);
      w[i * 4 + 1] = and_w(shift_right_w<2>(four), 3);
      w[i * 4 + 2] = and_w(shift_right_w<4>(four), 3);
      w[i * 4 + 3] = and_w(shift_right_w<6>(four), 3);
    }
  }
  const std::uint8_t* const high = planes + kLow * kSubBlock * kPanel / 8;
  if constexpr (kHigh == 1) {
#pragma GCC unroll 16
    for (int z = 0; z < kSubBlockVectors; ++z) {
      std::uint64_t mask;
      __builtin_memcpy(&mask, high + z * sizeof(mask), sizeof(mask));
      w[z] = or_where(mask, w[z], 1 << kLow);
    }
  } else if constexpr (kHigh == 2) {
#pragma GCC unroll 4
    for (int i = 0; i < kSubBlockVectors / 4; ++i) {
      const W four = load_w(high + i * 64);
      w[i * 4] = or_w(w[i * 4], and_w(shift_left_w<4>(four), 0x30));
      w[i * 4 + 1] = or_w(w[i * 4 + 1], and_w(shift_left_w<2>(four), 0x30));
      w[i * 4 + 2] = or_w(w[i * 4 + 2], and_w(four, 0x30));
      w[i * 4 + 3] = or_w(w[i * 4 + 3], and_w(shift_right_w<2>(four), 0x30));
    }
  }
}

// The layout of a block type's chunks, from its row of tensor/weight_types.h, as constants.
template <tensor::DType kType>
struct Form {
  static constexpr tensor::QuantLayout kLayout = tensor::weight_type(kType).layout;
  static constexpr int kLow = kLayout.low, kHigh = kLayout.high, kSub = kLayout.sub;
  static constexpr int kValues = static_cast<int>(tensor::weight_type(kType).values);
  static constexpr int kZero = kLayout.zero();
  static constexpr bool kScales = kLayout.scales, kMins = kLayout.mins;
  static constexpr bool kOneScale = kValues == kGroup;  // of a group
  static constexpr int kZeroShift = kLow + kHigh - 1;
  static constexpr int kParts = kSubBlock / kSub;  // of a sub-block, each with a scale of its own
  static constexpr int kPlaneBytes = (kLow + kHigh) * kSubBlock * kPanel / 8;

  static_assert((kLow == 8 && kHigh == 0) || ((kLow == 4 || kLow == 2) && kHigh >= 0 && kHigh <= 2),
                "unpack() has no planes of so many bits");
  static_assert(kMins ? kZero == 0 : kZero == 1 << kZeroShift, "acc_init_of() has another zero");
  static_assert(kSub == 16 || kSub == 32, "a sub-block has one scale or two");
  static_assert(kValues % kSubBlock == 0 && kBlockK % kValues == 0, "chunks are whole blocks");
  static_assert(!kOneScale || (!kScales && !kMins), "a group has one scale");
};

// Calls take(Form<the chunk's type>): every block type has its loops, or this does not compile.
template <std::size_t... kRows, typename Take>
inline void with_form_of(tensor::DType type, Take take, std::index_sequence<kRows...>) {
  (void)((type == tensor::kWeightTypes[kRows + tensor::kFirstBlockType].dtype
              ? (take(Form<tensor::kWeightTypes[kRows + tensor::kFirstBlockType].dtype>{}), true)
              : false) ||
         ...);
}
template <typename Take>
inline void with_form(const QuantChunk& chunk, Take take) {
  with_form_of(chunk.type, take,
               std::make_index_sequence<tensor::kWeightTypeCount - tensor::kFirstBlockType>{});
}

// Scale and minimum of sixteen rows.
struct Factors {
  V scale, min;
};

// How many bytes ahead to prefetch: close where rows take less time than reading, far where they
// take longer. Between the two can be half as fast (docs/results/2026-11-kernels.md, Zen 4).
constexpr std::int64_t kClose = 640, kFar = 16384;

template <typename F>
inline std::int64_t distance(std::int64_t rows) {
  return rows == 1 || (rows == 2 && F::kLow == 8) ? kClose : kFar;
}

// Reads a chunk, sub-block by sub-block, forwards only: going back would halve the bandwidth.
template <typename F>
class ChunkReader {
 public:
  explicit ChunkReader(const QuantChunk& chunk, std::int64_t ahead = kClose)
      : p_(chunk.data), ahead_(ahead) {}

  // The factors of the sub-block at k, [part][half of the rows]; planes() are then its own.
  inline void next(std::int64_t k, Factors (*factors)[2]) {
    p_ += step_;
    const std::uint8_t* planes = p_;
    if (k % F::kValues == 0) planes += kPanel * 2 * (F::kMins ? 2 : 1);
    if constexpr (F::kScales) planes += kPanel * F::kParts * (F::kMins ? 2 : 1);
    // Into the L2: the L1 has too few line fill buffers.
    for (const std::uint8_t* line = p_; line < planes + F::kPlaneBytes; line += 64)
      __builtin_prefetch(line + ahead_, 0, 2);
    if (k % F::kValues == 0) {
      for (int h = 0; h < 2; ++h) {
        d_[h] = load_half(halves(p_) + h * kLanes);
        if constexpr (F::kMins) dmin_[h] = load_half(halves(p_ + kPanel * 2) + h * kLanes);
      }
    }
    const auto* const scales =
        reinterpret_cast<const std::int8_t*>(planes) - kPanel * F::kParts * (F::kMins ? 2 : 1);
#pragma GCC unroll 2
    for (int part = 0; part < F::kParts; ++part) {
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        Factors& f = factors[part][h];
        f.scale = d_[h];
        if constexpr (F::kMins) f.min = dmin_[h];
        if constexpr (F::kScales) {
          const int at = part * kPanel + h * kLanes;
          f.scale = mul(f.scale, load_bytes(scales + at));
          if constexpr (F::kMins) f.min = mul(f.min, load_bytes(scales + kPanel * F::kParts + at));
        }
      }
    }
    step_ = planes + F::kPlaneBytes - p_;
    planes_ = planes;
  }
  const std::uint8_t* planes() const { return planes_; }

 private:
  static const std::uint16_t* halves(const std::uint8_t* p) {
    return reinterpret_cast<const std::uint16_t*>(p);
  }

  const std::uint8_t *p_, *planes_ = nullptr;
  std::int64_t step_ = 0, ahead_;
  V d_[2] = {zero(), zero()}, dmin_[2] = {zero(), zero()};
};

void int8_expand(const QuantChunk& chunk, float* to) {
  with_form(chunk, [&](auto form) {
    using F = decltype(form);
    const V zero_point = set1(static_cast<float>(F::kZero));
    ChunkReader<F> reader(chunk);
    for (std::int64_t at = 0; at < chunk.length; at += kSubBlock, to += kSubBlock * kPanel) {
      Factors factors[F::kParts][2];
      reader.next(at, factors);
      W w[kSubBlockVectors];
      unpack<F::kLow, F::kHigh>(reader.planes(), w);
      for (int k = 0; k < kSubBlock; ++k) {
        for (int h = 0; h < 2; ++h) {
          const Factors& f = factors[k / F::kSub][h];
          V value = mul(f.scale, sub(byte_of(w[k / 4 * 2 + h], k % 4), zero_point));
          if constexpr (F::kMins) value = sub(value, f.min);
          store(to + k * kPanel + h * kLanes, value);
        }
      }
    }
  });
}

// A group with one scale: only the zero point moves.
template <typename F>
inline void move_zero(ChunkReader<F>& reader, std::int64_t group, std::int64_t length,
                      std::uint8_t* q, float* scales) {
  for (std::int64_t at = 0; at < length; at += kSubBlock) {
    Factors factors[F::kParts][2];
    reader.next(group + at, factors);
    W w[kSubBlockVectors];
    unpack<F::kLow, F::kHigh>(reader.planes(), w);
#pragma GCC unroll 16
    for (int z = 0; z < kSubBlockVectors; ++z)
      store_w(q + at * kPanel + z * 64, add_w(w[z], 128 - F::kZero));
    for (int h = 0; h < 2; ++h) store(scales + h * kLanes, factors[0][h].scale);
  }
}

// A group's sub-blocks to one scale. Values are scale * (u - zero) - min, so the largest and the
// smallest u of each sub-block give the group's range; the new integers are (u * m + o) / 256 with
// 16-bit m and o, exact to a fraction of a step.
template <typename F>
inline void rescale_group(ChunkReader<F>& reader, std::int64_t group, std::int64_t length,
                          std::uint8_t* q, float* scales) {
  const int sub_blocks = static_cast<int>(length / kSubBlock);
  const V zero_point = set1(static_cast<float>(F::kZero));
  Factors factors[kGroup / F::kSub][2];
  V max[2] = {set1(0.0f), set1(0.0f)}, poison[2] = {set1(0.0f), set1(0.0f)};
  for (int i = 0; i < sub_blocks; ++i) {
    reader.next(group + i * kSubBlock, factors + i * F::kParts);
    W w[kSubBlockVectors];
    unpack<F::kLow, F::kHigh>(reader.planes(), w);
#pragma GCC unroll 2
    for (int part = 0; part < F::kParts; ++part) {
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        constexpr int kVectors = F::kSub / 4;
        const W* const first = w + part * kVectors * 2 + h;
        W highest = first[0], lowest = first[0];
#pragma GCC unroll 8
        for (int z = 1; z < kVectors; ++z) {
          highest = max_w(highest, first[2 * z]);
          lowest = min_w(lowest, first[2 * z]);
        }
        const Factors& f = factors[i * F::kParts + part][h];
        V above = mul(f.scale, sub(max_byte(highest), zero_point));
        V below = mul(f.scale, sub(min_byte(lowest), zero_point));
        if constexpr (F::kMins) above = sub(above, f.min), below = sub(below, f.min);
        max[h] = max_of(magnitude(above), max_of(magnitude(below), max[h]));
        poison[h] = fma(add(above, below), set1(0.0f), poison[h]);
      }
    }
    // Unpacked integers are kept where the new ones will be.
#pragma GCC unroll 16
    for (int z = 0; z < kSubBlockVectors; ++z) store_w(q + (i * kSubBlockVectors + z) * 64, w[z]);
  }
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    store(scales + h * kLanes, add(div(max[h], set1(127.0f)), poison[h]));
    // Values so small that the inverse overflows become zero.
    const V factor =
        less_select(set1(1e-34f), max[h], div(set1(127.0f * 256.0f), max[h]), set1(0.0f));
    for (int part = 0; part < sub_blocks * F::kParts; ++part) {
      const Factors& f = factors[part][h];
      const V m = nearest(mul(f.scale, factor));
      V o = sub(set1(128.0f * 256.0f + 128.0f), mul(zero_point, m));
      if constexpr (F::kMins) o = sub(o, mul(f.min, factor));
      const W multiplier = words_of(m), offset = words_of(nearest(o));
#pragma GCC unroll 8
      for (int z = 0; z < F::kSub / 4; ++z) {
        std::uint8_t* const at = q + (part * (F::kSub / 4) * 2 + 2 * z + h) * 64;
        store_w(at, rescale(load_w(at), multiplier, offset));
      }
    }
  }
}

void int8_requantize(const QuantChunk& chunk, std::uint8_t* q, float* scales) {
  with_form(chunk, [&](auto form) {
    using F = decltype(form);
    ChunkReader<F> reader(chunk);
    for (std::int64_t group = 0; group < chunk.length; group += kGroup) {
      const std::int64_t length = chunk.length - group < kGroup ? chunk.length - group : kGroup;
      if constexpr (F::kValues == kGroup) {
        move_zero<F>(reader, group, length, q, scales);
      } else {
        rescale_group<F>(reader, group, length, q, scales);
      }
      q += kGroup * kPanel;
      scales += kPanel;
    }
  });
}
