// Activation functions over the vector V.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after
// compute/cpu/elementwise/kernels.h, the instruction set's vector-inl.h and isa/vector_math-inl.h.
// Any instruction set.

inline V sigmoid_times(V x, V scaled) {  // x / (1 + exp(-scaled))
  return div(x, add(set1(1.0f), exp_of(sub(zero(), scaled))));
}

// x * Phi(x) through erfc(z) = exp(-z^2) t P(t), t = 1 / (1 + 0.375 z), z = |x| / sqrt 2: relative
// error of P 1.3e-8, so that the small values on the negative side are as exact as the large ones
// on the positive side.
inline V gelu_of(V x) {
  const V z = mul(max_of(x, sub(zero(), x)), set1(0.70710678f));
  const V t = div(set1(1.0f), fma(z, set1(0.375f), set1(1.0f)));
  V p = set1(0.061532437801361084f);
  p = fma(p, t, set1(-0.287304550409317f));
  p = fma(p, t, set1(0.43235886096954346f));
  p = fma(p, t, set1(-0.22938759624958038f));
  p = fma(p, t, set1(0.27372387051582336f));
  p = fma(p, t, set1(0.12149672210216522f));
  p = fma(p, t, set1(0.20531806349754333f));
  p = fma(p, t, set1(0.21064864099025726f));
  p = fma(p, t, set1(0.21161355078220367f));
  const V tail = mul(mul(p, t), exp_of(sub(zero(), mul(z, z))));
  const V twice = less_select(x, zero(), tail, sub(set1(2.0f), tail));
  return mul(mul(set1(0.5f), x), twice);
}

inline V apply(Activation activation, V x) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kGelu:
      return gelu_of(x);
    case Activation::kGeluTanh: {
      // 0.5 x (1 + tanh u) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)
      const V cube = mul(mul(x, x), x);
      return sigmoid_times(x, mul(set1(1.5957691216f), fma(cube, set1(0.044715f), x)));
    }
    case Activation::kQuickGelu:
      return sigmoid_times(x, mul(x, set1(1.702f)));
    case Activation::kSilu:
      return sigmoid_times(x, x);
    case Activation::kRelu:
      return max_of(zero(), x);
  }
  return x;
}
