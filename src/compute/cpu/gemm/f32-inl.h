// The register tile of f32 products and the epilogue, over the vector V.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after
// compute/cpu/gemm/f32_kernels.h, the instruction set's vector-inl.h, isa/vector_math-inl.h and
// elementwise/activation-inl.h, with
//   constexpr const char* kName      the table's name
//   constexpr int kTileVectors       vectors of outputs in a register tile: 1 or 2
//   OCELLUS_TILE_ROWS                rows of a register tile: 6 or 12
// Any instruction set. Defines kF32Table.

inline V load_element(Element element, const void* from, std::int64_t i) {
  switch (element) {
    case Element::kF32:
      return load(static_cast<const float*>(from) + i);
    case Element::kF16:
      return load_half(static_cast<const std::uint16_t*>(from) + i);
    case Element::kBF16:
      return load_bfloat(static_cast<const std::uint16_t*>(from) + i);
  }
  return zero();
}

// R rows, C vectors of outputs: R * C accumulators that must stay in registers.
template <int R, int C, Element E>
inline void tile_fixed(const float* a, const void* b, std::int64_t depth, bool add_to, float* c) {
  V acc[R][C];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < C; ++v) acc[r][v] = zero();
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    V w[C];
#pragma GCC unroll 2
    for (int v = 0; v < C; ++v) w[v] = load_element(E, b, k * kPanel + v * kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const V x = set1(a[k * R + r]);
#pragma GCC unroll 2
      for (int v = 0; v < C; ++v) acc[r][v] = fma(x, w[v], acc[r][v]);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < C; ++v) {
      float* to = c + r * kPanel + v * kLanes;
      store(to, add_to ? add(load(to), acc[r][v]) : acc[r][v]);
    }
  }
}

template <int R, Element E>
inline void tile_of(const float* a, const void* b, std::int64_t depth, bool add_to, float* c) {
  constexpr int kBytes = E == Element::kF32 ? 4 : 2;
  for (int v = 0; v < kPanel / kLanes; v += kTileVectors) {
    tile_fixed<R, kTileVectors, E>(a, static_cast<const char*>(b) + v * kLanes * kBytes, depth,
                                   add_to, c + v * kLanes);
  }
}

template <int R>
inline void tile_rows_fixed(Element element, const float* a, const void* b, std::int64_t depth,
                            bool add_to, float* c) {
  if constexpr (R <= kDirectRows) {
    if (element == Element::kF16) return tile_of<R, Element::kF16>(a, b, depth, add_to, c);
    if (element == Element::kBF16) return tile_of<R, Element::kBF16>(a, b, depth, add_to, c);
  }
  tile_of<R, Element::kF32>(a, b, depth, add_to, c);
}

void tile(const F32Tile& tile) {
  const auto& [a, rows, element, b, depth, add, c] = tile;
  switch (rows) {
    case 1:
      return tile_rows_fixed<1>(element, a, b, depth, add, c);
    case 2:
      return tile_rows_fixed<2>(element, a, b, depth, add, c);
    case 3:
      return tile_rows_fixed<3>(element, a, b, depth, add, c);
    case 4:
      return tile_rows_fixed<4>(element, a, b, depth, add, c);
    case 5:
      return tile_rows_fixed<5>(element, a, b, depth, add, c);
    case 6:
      return tile_rows_fixed<6>(element, a, b, depth, add, c);
#if OCELLUS_TILE_ROWS > 6
    case 7:
      return tile_rows_fixed<7>(element, a, b, depth, add, c);
    case 8:
      return tile_rows_fixed<8>(element, a, b, depth, add, c);
    case 9:
      return tile_rows_fixed<9>(element, a, b, depth, add, c);
    case 10:
      return tile_rows_fixed<10>(element, a, b, depth, add, c);
    case 11:
      return tile_rows_fixed<11>(element, a, b, depth, add, c);
    case 12:
      return tile_rows_fixed<12>(element, a, b, depth, add, c);
#endif
    default:
      return;
  }
}

void expand(Element element, const void* from, std::int64_t n, float* to) {
  for (std::int64_t i = 0; i < n; i += kLanes) store(to + i, load_element(element, from, i));
}

template <Activation A>
struct Constant {
  static constexpr Activation kValue = A;
};

// A full panel is stored without masks, which are slow.
template <bool kFull>
inline V load_out(const float* p, int part) {
  return kFull ? load(p) : load_part(p, part);
}
template <bool kFull>
inline void store_out(float* p, V v, int part) {
  kFull ? store(p, v) : store_part(p, v, part);
}

template <Activation A, bool kFull>
inline void epilogue_rows(const EpilogueArgs& f) {
  const int n = kFull ? kPanel : f.n;
  for (std::int64_t r = 0; r < f.rows; ++r) {
    const float* const c = f.c + r * kPanel;
    const float* const residual =
        f.residual == nullptr ? nullptr : f.residual + r * f.residual_stride;
    float* const y = f.y + r * f.y_stride;
#pragma GCC unroll 2
    for (int i = 0; i < n; i += kLanes) {
      const int part = n - i < kLanes ? n - i : kLanes;
      V v = load(c + i);
      if (f.bias != nullptr) v = add(v, load_out<kFull>(f.bias + i, part));
      v = apply(A, v);
      if (residual != nullptr) v = add(v, load_out<kFull>(residual + i, part));
      store_out<kFull>(y + i, v, part);
    }
  }
}

template <Activation A, bool kFull>
inline void gated_epilogue_rows(const EpilogueArgs& f, const float* gate, const float* gate_bias) {
  const int n = kFull ? kPanel : f.n;
  for (std::int64_t r = 0; r < f.rows; ++r) {
#pragma GCC unroll 2
    for (int i = 0; i < n; i += kLanes) {
      const int part = n - i < kLanes ? n - i : kLanes;
      V g = load(gate + r * kPanel + i), v = load(f.c + r * kPanel + i);
      if (gate_bias != nullptr) g = add(g, load_out<kFull>(gate_bias + i, part));
      if (f.bias != nullptr) v = add(v, load_out<kFull>(f.bias + i, part));
      store_out<kFull>(f.y + r * f.y_stride + i, mul(apply(A, g), v), part);
    }
  }
}

// Calls take(activation) with the activation as a constant, so that no loop tests it.
template <typename Take>
inline void with_activation(Activation activation, Take take) {
  switch (activation) {
    case Activation::kNone:
      return take(Constant<Activation::kNone>{});
    case Activation::kGelu:
      return take(Constant<Activation::kGelu>{});
    case Activation::kGeluTanh:
      return take(Constant<Activation::kGeluTanh>{});
    case Activation::kQuickGelu:
      return take(Constant<Activation::kQuickGelu>{});
    case Activation::kSilu:
      return take(Constant<Activation::kSilu>{});
    case Activation::kRelu:
      return take(Constant<Activation::kRelu>{});
  }
}

void epilogue(Activation activation, const EpilogueArgs& f) {
  with_activation(activation, [&](auto constant) {
    constexpr Activation kA = constant.kValue;
    f.n == kPanel ? epilogue_rows<kA, true>(f) : epilogue_rows<kA, false>(f);
  });
}

void gated_epilogue(Activation activation, const EpilogueArgs& f, const float* gate,
                    const float* gate_bias) {
  with_activation(activation, [&](auto constant) {
    constexpr Activation kA = constant.kValue;
    f.n == kPanel ? gated_epilogue_rows<kA, true>(f, gate, gate_bias)
                  : gated_epilogue_rows<kA, false>(f, gate, gate_bias);
  });
}

constexpr F32Kernels kF32Table = {
    .name = kName,
    .tile_rows = OCELLUS_TILE_ROWS,
    .tile = tile,
    .expand = expand,
    .epilogue = epilogue,
    .gated_epilogue = gated_epilogue,
};
