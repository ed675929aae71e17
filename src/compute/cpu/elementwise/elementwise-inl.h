// The loops of ElementwiseKernels over the vector V.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after
// compute/cpu/elementwise/kernels.h, the instruction set's vector-inl.h and isa/vector_math-inl.h.
// Any instruction set. Defines kElementwiseTable.

void layer_norm(const float* x, const float* weight, const float* bias, float eps, std::int64_t n,
                float* y) {
  V sum = zero();
  for (std::int64_t i = 0; i < n; i += kLanes) sum = add(sum, load_part(x + i, part_at(i, n)));
  const float count = static_cast<float>(n);
  const V mean = set1(sum_lanes(sum) / count);
  V squares = zero();
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const std::int64_t part = part_at(i, n);
    alignas(64) float lane[kLanes];
    store(lane, sub(load_part(x + i, part), mean));
    for (std::int64_t j = part; j < kLanes; ++j)
      lane[j] = 0;  // lanes past the row are not part of it
    const V d = load(lane);
    squares = fma(d, d, squares);
  }
  const V root = sqrt_of(add(set1(sum_lanes(squares) / count), set1(eps)));
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const std::int64_t part = part_at(i, n);
    V v = div(sub(load_part(x + i, part), mean), root);
    v = mul(v, load_part(weight + i, part));
    if (bias != nullptr) v = add(v, load_part(bias + i, part));
    store_part(y + i, v, part);
  }
}

void rms_norm(const float* x, const float* weight, float eps, std::int64_t n, float* y) {
  V squares = zero();
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const V v = load_part(x + i, part_at(i, n));
    squares = fma(v, v, squares);
  }
  const V root = sqrt_of(add(set1(sum_lanes(squares) / static_cast<float>(n)), set1(eps)));
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const std::int64_t part = part_at(i, n);
    store_part(y + i, mul(div(load_part(x + i, part), root), load_part(weight + i, part)), part);
  }
}

void rotate(float* x, const float* cos, const float* sin, std::int64_t half) {
  for (std::int64_t i = 0; i < half; i += kLanes) {
    const std::int64_t part = part_at(i, half);
    const V a = load_part(x + i, part), b = load_part(x + half + i, part);
    const V c = load_part(cos + i, part), s = load_part(sin + i, part);
    store_part(x + i, sub(mul(a, c), mul(b, s)), part);
    store_part(x + half + i, add(mul(b, c), mul(a, s)), part);
  }
}

void short_convolution(const float* const* taps, const float* weights, std::int64_t stride,
                       std::int64_t kernel, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const std::int64_t part = part_at(i, n);
    V sum = zero();
    for (std::int64_t tap = 0; tap < kernel; ++tap) {
      sum = fma(load_part(taps[tap] + i, part), load_part(weights + tap * stride + i, part), sum);
    }
    store_part(y + i, sigmoid_times(sum, sum), part);
  }
}

void delta_rule(const DeltaStrip& s) {
  const std::int64_t low = part_at(0, s.columns), high = s.columns - low;
  const auto second = [&](const float* p) {
    return high > 0 ? load_part(p + kLanes, high) : zero();
  };
  const auto put = [&](float* p, V a, V b) {
    store_part(p, a, low);
    if (high > 0) store_part(p + kLanes, b, high);
  };
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const float *const q = s.q + row * s.stride, *const k = s.k + row * s.stride,
                       *const v = s.v + row * s.stride;
    const V decay = set1(s.decay[row * s.gate_stride]);
    V held_a = zero(), held_b = zero();
    for (std::int64_t i = 0; i < s.k_dim; ++i) {
      float* const state = s.state + i * s.state_stride;
      const V a = mul(load_part(state, low), decay), b = mul(second(state), decay),
              key = set1(k[i]);
      put(state, a, b);
      held_a = fma(key, a, held_a);
      held_b = fma(key, b, held_b);
    }
    const V weight = set1(s.weight[row * s.gate_stride]);
    const V more_a = mul(sub(load_part(v, low), held_a), weight),
            more_b = mul(sub(second(v), held_b), weight);
    V read_a = zero(), read_b = zero();
    for (std::int64_t i = 0; i < s.k_dim; ++i) {
      float* const state = s.state + i * s.state_stride;
      const V key = set1(k[i]), query = set1(q[i]);
      const V a = fma(key, more_a, load_part(state, low)), b = fma(key, more_b, second(state));
      put(state, a, b);
      read_a = fma(query, a, read_a);
      read_b = fma(query, b, read_b);
    }
    put(s.out + row * s.out_stride, read_a, read_b);
  }
}

void gate(float* y, const float* gate, std::int64_t n, bool silu) {
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const std::int64_t part = part_at(i, n);
    const V x = load_part(y + i, part), g = load_part(gate + i, part);
    store_part(y + i, silu ? mul(x, sigmoid_times(g, g)) : sigmoid_times(x, g), part);
  }
}

constexpr ElementwiseKernels kElementwiseTable = {.layer_norm = layer_norm,
                                                  .rms_norm = rms_norm,
                                                  .rotate = rotate,
                                                  .short_convolution = short_convolution,
                                                  .delta_rule = delta_rule,
                                                  .gate = gate};
