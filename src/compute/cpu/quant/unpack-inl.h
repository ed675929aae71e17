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

// What a chunk's type is made of; the compiler makes one loop of each.
template <int kLowBits, int kHighBits, bool kHasScales, bool kHasMins, int kScaleLength,
          int kBlockLength>
struct Form {
  static constexpr int kLow = kLowBits, kHigh = kHighBits, kSub = kScaleLength,
                       kValues = kBlockLength;
  static constexpr bool kScales = kHasScales, kMins = kHasMins;
  static constexpr bool kOneScale = kValues == kGroup;  // of a group
  static constexpr int kZeroShift = kLow + kHigh - 1;   // without minimums, zero is 2 to this
  static constexpr int kParts = kSubBlock / kSub;  // of a sub-block, each with a scale of its own
  static constexpr int kPlaneBytes = (kLow + kHigh) * kSubBlock * kPanel / 8;
};

template <typename Take>
inline void with_form(const QuantChunk& c, Take take) {
  if (c.low == 8)
    return c.values == 32 ? take(Form<8, 0, false, false, 32, 32>{})
                          : take(Form<8, 0, false, false, 32, 128>{});
  if (c.low == 4 && c.high == 0) {
    if (c.scales) return take(Form<4, 0, true, true, 32, 256>{});
    if (c.values == 128) return take(Form<4, 0, false, false, 32, 128>{});
    return c.mins ? take(Form<4, 0, false, true, 32, 32>{})
                  : take(Form<4, 0, false, false, 32, 32>{});
  }
  if (c.low == 4 && c.high == 1) {
    if (c.scales) return take(Form<4, 1, true, true, 32, 256>{});
    return c.mins ? take(Form<4, 1, false, true, 32, 32>{})
                  : take(Form<4, 1, false, false, 32, 32>{});
  }
  if (c.low == 4) return take(Form<4, 2, true, false, 16, 256>{});
  return c.high == 1 ? take(Form<2, 1, true, false, 16, 256>{})
                     : take(Form<2, 0, true, true, 16, 256>{});
}

// Scale and minimum of sixteen rows.
struct Factors {
  V scale, min;
};

// How many bytes ahead of a walk to ask for. Where the rows take less time than reading, asking for
// what comes next keeps the machine's own prefetching at its full speed; where they take longer,
// only asking far ahead has memory read all the time. (Zen 4: up to twice the speed of what lies
// between; docs/kernels.md.)
constexpr std::int64_t kClose = 640, kFar = 16384;

template <typename F>
inline std::int64_t distance(std::int64_t rows) {
  return rows == 1 || (rows == 2 && F::kLow == 8) ? kClose : kFar;
}

// Walks through a chunk, sub-block by sub-block, always forwards: memory is read at its full speed
// only by those who never look back.
template <typename F>
class ChunkReader {
 public:
  explicit ChunkReader(const QuantChunk& chunk, std::int64_t ahead = kClose)
      : p_(chunk.data), ahead_(ahead) {}

  // The factors of the sub-block at k, [part][half of the rows]; leaves planes() there.
  inline void next(std::int64_t k, Factors (*factors)[2]) {
    p_ += step_;
    const std::uint8_t* planes = p_;
    if (k % F::kValues == 0) planes += kPanel * 2 * (F::kMins ? 2 : 1);
    if constexpr (F::kScales) planes += kPanel * F::kParts * (F::kMins ? 2 : 1);
    // Into the L2: the L1 has too few places for lines that are under way.
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
  const V zero_point = set1(static_cast<float>(chunk.zero));
  with_form(chunk, [&](auto form) {
    using F = decltype(form);
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

// One scale already: only the zero moves.
template <typename F>
inline void move_zero(ChunkReader<F>& reader, int zero_point, std::int64_t group,
                      std::int64_t length, std::uint8_t* q, float* scales) {
  for (std::int64_t at = 0; at < length; at += kSubBlock) {
    Factors factors[F::kParts][2];
    reader.next(group + at, factors);
    W w[kSubBlockVectors];
    unpack<F::kLow, F::kHigh>(reader.planes(), w);
#pragma GCC unroll 16
    for (int z = 0; z < kSubBlockVectors; ++z)
      store_w(q + at * kPanel + z * 64, add_w(w[z], 128 - zero_point));
    for (int h = 0; h < 2; ++h) store(scales + h * kLanes, factors[0][h].scale);
  }
}

// A group's sub-blocks to one scale. What the integers stand for is scale * (u - zero) - least, so
// the largest and the smallest of each sub-block tell the group's range, and the new integers are
// (u * m + o) / 256 with 16-bit m and o: exact to a fraction of a step.
template <typename F>
inline void rescale_group(ChunkReader<F>& reader, int zero, std::int64_t group, std::int64_t length,
                          std::uint8_t* q, float* scales) {
  const int sub_blocks = static_cast<int>(length / kSubBlock);
  const V zero_point = set1(static_cast<float>(zero));
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
    // The integers, once taken apart, pass through the memory that they end in.
#pragma GCC unroll 16
    for (int z = 0; z < kSubBlockVectors; ++z) store_w(q + (i * kSubBlockVectors + z) * 64, w[z]);
  }
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    store(scales + h * kLanes, add(div(max[h], set1(127.0f)), poison[h]));
    // So small that the inverse overflows is zero.
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
        move_zero<F>(reader, chunk.zero, group, length, q, scales);
      } else {
        rescale_group<F>(reader, chunk.zero, group, length, q, scales);
      }
      q += kGroup * kPanel;
      scales += kPanel;
    }
  });
}
