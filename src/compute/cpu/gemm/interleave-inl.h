// Rows of 4-byte units in the order of a register tile.
//
// Include inside a namespace, after <cstdint>. Any instruction set: files with instruction-set
// flags have a copy of their own in an unnamed namespace.

constexpr std::int64_t kUnit = 4;
using Units = std::uint32_t __attribute__((vector_size(4 * kUnit)));

inline Units load_units(const std::int8_t* p) {
  Units units;
  __builtin_memcpy(&units, p, sizeof(units));
  return units;
}
inline void store_units(std::int8_t* p, Units units) { __builtin_memcpy(p, &units, sizeof(units)); }

// Transposes four rows of four units; rows of the result are `step` bytes apart.
inline void transpose_units(const std::int8_t* from, std::int64_t stride, std::int8_t* to,
                            std::int64_t step) {
  const Units a = load_units(from), b = load_units(from + stride),
              c = load_units(from + 2 * stride), d = load_units(from + 3 * stride);
  const Units ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5),
              ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7),
              cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5),
              cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store_units(to, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
  store_units(to + step, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
  store_units(to + 2 * step, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
  store_units(to + 3 * step, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}

// to[unit][r] = row r's unit, for `rows` rows `stride` bytes apart.
inline void interleave_units(const std::int8_t* from, std::int64_t stride, int rows,
                             std::int64_t units, std::int8_t* to) {
  const std::int64_t step = rows * kUnit;
  std::int64_t u = 0;
  for (; rows >= 4 && u + 4 <= units; u += 4) {
    const std::int8_t* const source = from + u * kUnit;
    std::int8_t* const target = to + u * step;
    for (int r = 0; r + 4 <= rows; r += 4)
      transpose_units(source + r * stride, stride, target + r * kUnit, step);
    // The last four rows; some are written twice.
    if (const int r = rows - 4; rows % 4 != 0)
      transpose_units(source + r * stride, stride, target + r * kUnit, step);
  }
  for (; u < units; ++u) {
    for (int r = 0; r < rows; ++r)
      __builtin_memcpy(to + u * step + r * kUnit, from + r * stride + u * kUnit, kUnit);
  }
}
