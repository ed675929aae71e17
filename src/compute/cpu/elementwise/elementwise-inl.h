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

constexpr ElementwiseKernels kElementwiseTable = {
    .layer_norm = layer_norm, .rms_norm = rms_norm, .rotate = rotate};
