// Products with packed block types: Int8Kernels::dot.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after
// compute/cpu/gemm/int8_kernels.h, the vectors V, I, W and B that gemm/int8-inl.h lists and
// quant/unpack-inl.h. Any instruction set.

// What the integers of one part begin with: minus what the zero point adds.
template <typename F>
inline I acc_init_of(const std::int32_t* neg_sums) {
  if constexpr (F::kLow == 8) {
    return acc_init8(neg_sums);
  } else if constexpr (F::kMins) {
    return set_i(0);
  } else {
    return shift_left_i<F::kZeroShift>(broadcast_i(neg_sums));
  }
}

// Adds one row's integer products with vectors [first, last) of a sub-block, for all 32 outputs.
template <typename F>
inline void dot_integers(const W* w, const std::int8_t* q, int first, int last, I& low, I& high) {
#pragma GCC unroll 8
  for (int i = first; i < last; ++i) {
    const B four = broadcast(q + i * 4);
    if constexpr (F::kLow == 8) {
      low = dot8(low, as_w8(w[2 * i]), four);
      high = dot8(high, as_w8(w[2 * i + 1]), four);
    } else {
      low = dot(low, w[2 * i], four);
      high = dot(high, w[2 * i + 1], four);
    }
  }
}

// One row's products with one sub-block: chain + scale * integers - minimum * sum, for each scale.
template <typename F>
inline void dot_sub_block(const W* w, const std::int8_t* q, const std::int32_t* neg_sums,
                          const Factors (*factors)[2], V& low, V& high) {
#pragma GCC unroll 2
  for (int part = 0; part < F::kParts; ++part) {
    const std::int32_t* const sum = F::kParts == 2 ? neg_sums + part : neg_sums + 2;
    I low_sum = acc_init_of<F>(sum), high_sum = low_sum;
    dot_integers<F>(w, q, part * F::kSub / 4, (part + 1) * F::kSub / 4, low_sum, high_sum);
    low = fma(to_float(low_sum), factors[part][0].scale, low);
    high = fma(to_float(high_sum), factors[part][1].scale, high);
    if constexpr (F::kMins) {
      const V min_sum = to_float(broadcast_i(sum));
      low = fma(min_sum, factors[part][0].min, low);
      high = fma(min_sum, factors[part][1].min, high);
    }
  }
}

// The sums of one row between the sub-blocks of a group: integers where the group has one scale,
// else the chain.
template <typename F>
struct GroupSums {
  I low_sum, high_sum;
  V low, high;

  inline void load_from(const float* p) {
    if constexpr (F::kOneScale) {
      low_sum = load_i(p), high_sum = load_i(p + kLanes);
    } else {
      low = load(p), high = load(p + kLanes);
    }
  }
  inline void store_to(float* p) const {
    if constexpr (F::kOneScale) {
      store_i(p, low_sum), store_i(p + kLanes, high_sum);
    } else {
      store(p, low), store(p + kLanes, high);
    }
  }
  inline void begin() {
    if constexpr (F::kOneScale) {
      low_sum = high_sum = set_i(0);
    } else {
      low = high = zero();
    }
  }
  inline void add_sub_block(const W* w, const std::int8_t* q, const std::int32_t* neg_sums,
                            const Factors (*factors)[2]) {
    if constexpr (F::kOneScale) {
      const I start = acc_init_of<F>(neg_sums + 2);
      low_sum = add_i(low_sum, start), high_sum = add_i(high_sum, start);
      dot_integers<F>(w, q, 0, kSubBlock / 4, low_sum, high_sum);
    } else {
      dot_sub_block<F>(w, q, neg_sums, factors, low, high);
    }
  }
  inline void end(const Factors* factors, V row_scale, bool add_to, float* c) const {
    const V before_low = add_to ? load(c) : zero(),
            before_high = add_to ? load(c + kLanes) : zero();
    if constexpr (F::kOneScale) {
      store(c, fma(to_float(low_sum), mul(factors[0].scale, row_scale), before_low));
      store(c + kLanes, fma(to_float(high_sum), mul(factors[1].scale, row_scale), before_high));
    } else {
      store(c, fma(low, row_scale, before_low));
      store(c + kLanes, fma(high, row_scale, before_high));
    }
  }
};

template <typename F, bool kOneRow>
inline void dot_chunk(const QuantChunk& chunk, const Int8Rows& x, std::int64_t k, bool add_to,
                      float* scratch, float* c) {
  const std::int64_t rows = kOneRow ? 1 : x.rows;
  ChunkReader<F> reader(chunk, kOneRow ? kClose : distance<F>(rows));
  for (std::int64_t group = 0; group < chunk.length; group += kGroup) {
    const std::int64_t end = chunk.length - group < kGroup ? chunk.length : group + kGroup;
    GroupSums<F> sums;
    sums.begin();
    Factors factors[F::kParts][2];
    for (std::int64_t at = group; at < end; at += kSubBlock) {
      reader.next(at, factors);
      W w[kSubBlockVectors];
      unpack<F::kLow, F::kHigh>(reader.planes(), w);
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t place = (k + at) / kSubBlock * x.rows + r;
        float* const kept = scratch + r * kPanel;
        if constexpr (!kOneRow) at == group ? sums.begin() : sums.load_from(kept);
        sums.add_sub_block(w, x.q + place * kSubBlock, x.neg_sums + place * kSums, factors);
        if constexpr (!kOneRow) sums.store_to(kept);
      }
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      if constexpr (!kOneRow) sums.load_from(scratch + r * kPanel);
      const V row_scale = set1(x.scales[(k + group) / kGroup * x.rows + r]);
      sums.end(factors[0], row_scale, add_to, c + r * kPanel);
    }
    add_to = true;
  }
}

void int8_dot(const QuantChunk& chunk, const Int8Rows& x, std::int64_t k, bool add, float* scratch,
              float* c) {
  with_form(chunk, [&](auto form) {
    using F = decltype(form);
    x.rows == 1 ? dot_chunk<F, true>(chunk, x, k, add, scratch, c)
                : dot_chunk<F, false>(chunk, x, k, add, scratch, c);
  });
}
