// Functions over the vector V that several loops need.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after compute/cpu/isa/blocking.h
// and the instruction set's vector-inl.h. Any instruction set.

constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves no bits after the point

// To the nearest whole number, ties to even; |x| < 2^22.
inline V nearest(V x) { return sub(add(x, set1(kRound)), set1(kRound)); }

inline V magnitude(V x) { return max_of(x, sub(zero(), x)); }

// Sums the lanes as a fixed tree: halves, quarters, pairs.
inline float sum_lanes(V v) {
  alignas(64) float lane[kLanes];
  store(lane, v);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}

// exp(x) to about one ulp: x = n ln2 + r with |r| <= ln2 / 2, a polynomial of degree 6 for exp(r),
// scaled by 2^n in two steps so that subnormal results come out. Below -104 zero, above 88.73
// infinity; NaN stays NaN.
inline V exp_of(V x) {
  x = min_of(set1(89.0f), max_of(set1(-105.0f), x));
  const V n = sub(add(mul(x, set1(1.44269504f)), set1(12582912.0f)), set1(12582912.0f));
  V r = fma(n, set1(-0.693359375f), x);
  r = fma(n, set1(2.12194440e-4f), r);
  V p = set1(1.0f / 720.0f);
  p = fma(p, r, set1(1.0f / 120.0f));
  p = fma(p, r, set1(1.0f / 24.0f));
  p = fma(p, r, set1(1.0f / 6.0f));
  p = fma(p, r, set1(0.5f));
  p = fma(p, r, set1(1.0f));
  p = fma(p, r, set1(1.0f));
  const V high = mul(n, set1(0.5f));
  const V half = sub(add(high, set1(12582912.0f)), set1(12582912.0f));
  return mul(mul(p, pow2i(half)), pow2i(sub(n, half)));
}

// Lanes of the vector at i that belong to n values.
inline std::int64_t part_at(std::int64_t i, std::int64_t n) {
  return n - i < kLanes ? n - i : kLanes;
}
