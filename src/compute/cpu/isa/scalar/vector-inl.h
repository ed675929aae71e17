// The vector V, sixteen f32 lanes, as a plain array:
//   load, load_part(p, n), store, store_part(p, v, n), zero, set1, load_half, load_bfloat,
//   load_bytes(int8), fma, add, sub, mul, div, sqrt_of, less_select, pow2i, and
//   min_of, max_of (the second operand where the two are unordered, as x86 has it).
//
// Include inside an unnamed namespace of ocellus::compute::cpu, so that nothing compiled with these
// flags is visible elsewhere, after compute/cpu/isa/blocking.h. Any instruction set.

struct V {
  float lane[kLanes];
};

template <typename Operation>
inline V each(Operation operation) {
  V v;
  for (int i = 0; i < kLanes; ++i) v.lane[i] = operation(i);
  return v;
}

inline V zero() { return V{}; }
inline V set1(float x) {
  return each([=](int) { return x; });
}
inline V load(const float* p) {
  return each([=](int i) { return p[i]; });
}
inline V load_part(const float* p, std::int64_t n) {
  return each([=](int i) { return i < n ? p[i] : 0.0f; });
}
inline void store(float* p, V v) {
  for (int i = 0; i < kLanes; ++i) p[i] = v.lane[i];
}
inline void store_part(float* p, V v, std::int64_t n) {
  for (int i = 0; i < n; ++i) p[i] = v.lane[i];
}
inline float from_bits(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }
inline V load_bfloat(const std::uint16_t* p) {
  return each([=](int i) { return from_bits(std::uint32_t{p[i]} << 16); });
}
inline V load_half(const std::uint16_t* p) {
  return each([=](int i) {
    const std::uint32_t sign = std::uint32_t{p[i] & 0x8000u} << 16, exponent = (p[i] >> 10) & 31u,
                        mantissa = p[i] & 0x3FFu;
    if (exponent == 31)
      return from_bits(sign | 0x7F800000u | (mantissa << 13) | (mantissa != 0 ? 0x400000u : 0u));
    if (exponent != 0) return from_bits(sign | ((exponent + 112) << 23) | (mantissa << 13));
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  });
}
inline V load_bytes(const std::int8_t* p) {
  return each([=](int i) { return static_cast<float>(p[i]); });
}
inline V fma(V a, V b, V c) {
  return each([&](int i) { return __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]); });
}
inline V add(V a, V b) {
  return each([&](int i) { return a.lane[i] + b.lane[i]; });
}
inline V sub(V a, V b) {
  return each([&](int i) { return a.lane[i] - b.lane[i]; });
}
inline V mul(V a, V b) {
  return each([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline V div(V a, V b) {
  return each([&](int i) { return a.lane[i] / b.lane[i]; });
}
inline V sqrt_of(V a) {
  return each([&](int i) { return __builtin_sqrtf(a.lane[i]); });
}
inline V min_of(V a, V b) {
  return each([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline V max_of(V a, V b) {
  return each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline V less_select(V a, V b, V yes, V no) {
  return each([&](int i) { return a.lane[i] < b.lane[i] ? yes.lane[i] : no.lane[i]; });
}
// 2^n for whole n from -126 to 127. NaN gives some number: the other factor is NaN then.
inline V pow2i(V n) {
  return each([&](int i) {
    const float x = n.lane[i];
    const std::int32_t whole = x >= -126.0f && x <= 127.0f ? static_cast<std::int32_t>(x) : 0;
    return from_bits(static_cast<std::uint32_t>(whole + 127) << 23);
  });
}
