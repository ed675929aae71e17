// AVX2: pairs of bytes are multiplied into 16 bits, pairs of these into 32. Unsigned bytes below 64
// cannot overflow 16 bits; 8-bit weights are taken as magnitudes, their signs go to the
// activations.
//
// Tiles have their values in 16 bits and multiply two products at once (Winograd 1968):
//   x0 w0 + x1 w1 = (x0 + w1) (x1 + w0) - x0 x1 - w0 w1
// The last two terms belong to a row or to an output alone and are summed once, in advance. Three
// of the four instructions for 32 products are additions, which CPUs have more units for.
#include <immintrin.h>

#include "compute/cpu/gemm/int8_kernels.h"
#include "compute/cpu/topology/isa.h"

namespace ocellus::compute::cpu {
namespace {

constexpr const char* kName = "avx2";
constexpr int kInt8TileVectors = 1;
// Eight sums, four weights, two activations, two products: all sixteen registers.
#define OCELLUS_INT8_ROWS 4

#include "compute/cpu/isa/avx2/int8_vector-inl.h"

struct W8 {
  I value, size;
};

inline __m256i dot_half(__m256i acc, __m256i w, __m256i x) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1)));
}
inline I dot(I acc, W w, B x) {
  return {dot_half(acc.low, w.low, x), dot_half(acc.high, w.high, x)};
}
inline W8 as_w8(W w) {
  const I value = xor_w(w, 128);
  return {value, {_mm256_abs_epi8(value.low), _mm256_abs_epi8(value.high)}};
}
inline I dot8(I acc, W8 w, B x) {
  return {dot_half(acc.low, w.size.low, _mm256_sign_epi8(x, w.value.low)),
          dot_half(acc.high, w.size.high, _mm256_sign_epi8(x, w.value.high))};
}
inline I acc_init8(const std::int32_t*) { return set_i(0); }

// Values of even k stand in one vector, those of odd k in the other.
struct TileW {
  I even, odd;
};
struct TileB {
  __m256i even, odd;
};
constexpr int kTileValueBytes = 2;
inline __m256i even_of(__m256i bytes) { return _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8); }
inline __m256i odd_of(__m256i bytes) { return _mm256_srai_epi16(bytes, 8); }
inline TileW load_tile_w(const std::uint8_t* p) { return {load_w(p), load_w(p + 64)}; }
inline TileB broadcast_tile(const std::int8_t* p) { return {broadcast(p), broadcast(p + 4)}; }
inline __m256i tile_dot_half(__m256i acc, __m256i even, __m256i odd, TileB x) {
  const __m256i left = _mm256_add_epi16(x.even, odd), right = _mm256_add_epi16(x.odd, even);
  return _mm256_add_epi32(acc, _mm256_madd_epi16(left, right));
}
inline I tile_dot(I acc, TileW w, TileB x) {
  return {tile_dot_half(acc.low, w.even.low, w.odd.low, x),
          tile_dot_half(acc.high, w.even.high, w.odd.high, x)};
}
inline void interleave_values(const std::int8_t* q, std::int64_t stride, std::int64_t depth,
                              int rows, std::int8_t* out) {
  for (std::int64_t k = 0; k < depth; k += 4) {
    for (int r = 0; r < rows; ++r, out += 4 * kTileValueBytes) {
      const std::int8_t* const four = q + r * stride + k;
      const std::int16_t split[] = {four[0], four[2], four[1], four[3]};
      __builtin_memcpy(out, split, sizeof(split));
    }
  }
}
inline std::int32_t row_acc_init(const std::int8_t* q, const std::int32_t*) {
  std::int32_t sum = 0;
  for (int k = 0; k < kGroup; k += 2) sum -= q[k] * q[k + 1];
  return sum;
}
inline I tile_acc_init(std::int32_t start, const std::int32_t* outputs, std::int64_t place) {
  return add_i(set_i(start), load_w(reinterpret_cast<const std::uint8_t*>(outputs + place)));
}

void widen_i16(const Int8Panel& w, std::int64_t depth, std::uint8_t* to, std::int32_t* acc_init) {
  for (std::int64_t k = 0, group = 0; k < depth; k += kGroup, ++group, acc_init += kPanel) {
    const std::uint8_t* from = w.q + group * w.group_bytes;
    I sums[kPanel / kLanes] = {set_i(0), set_i(0)};
    const std::int64_t steps = (depth - k < kGroup ? depth - k : kGroup) / 4;
    for (std::int64_t step = 0; step < steps; ++step) {
      for (I& sum : sums) {
        const W value = xor_w(load_w(from), 128);
        const W even = {even_of(value.low), even_of(value.high)};
        const W odd = {odd_of(value.low), odd_of(value.high)};
        store_w(to, even);
        store_w(to + 64, odd);
        sum.low = _mm256_sub_epi32(sum.low, _mm256_madd_epi16(even.low, odd.low));
        sum.high = _mm256_sub_epi32(sum.high, _mm256_madd_epi16(even.high, odd.high));
        from += 64, to += 128;
      }
    }
    for (int h = 0; h < kPanel / kLanes; ++h)
      store_w(reinterpret_cast<std::uint8_t*>(acc_init + h * kLanes), sums[h]);
  }
}
constexpr decltype(Int8Kernels::widen_i16) kWidenI16 = widen_i16;

// In this order.
// clang-format off
#include "compute/cpu/quant/unpack-inl.h"
#include "compute/cpu/gemm/int8-inl.h"
#include "compute/cpu/gemm/int8_decode-inl.h"
#include "compute/cpu/gemm/int8_table-inl.h"
// clang-format on

}  // namespace

const Int8Kernels* avx2_int8_kernels() { return has_avx2() ? &kInt8Table : nullptr; }

}  // namespace ocellus::compute::cpu
