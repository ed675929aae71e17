// 8-bit weights for instruction sets that multiply any unsigned by signed bytes. Tiles take bytes
// too; a sum begins with minus what the zero point adds to it.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, before gemm/int8-inl.h, which lists
// what this defines, and after the vectors I, W and B. Any instruction set.

#include "compute/cpu/gemm/interleave-inl.h"

using W8 = W;
inline W8 as_w8(const W& w) { return w; }
inline I dot8(I acc, const W8& w, B x) { return dot(acc, w, x); }
inline I acc_init8(const std::int32_t* neg_sums) { return shift_left_i<7>(broadcast_i(neg_sums)); }

using TileW = W;
using TileB = B;
constexpr int kTileValueBytes = 1;
constexpr decltype(Int8Kernels::widen_i16) kWidenI16 = nullptr;
inline TileW load_tile_w(const std::uint8_t* p) { return load_w(p); }
inline TileB broadcast_tile(const std::int8_t* p) { return broadcast(p); }
inline I tile_dot(I acc, const TileW& w, TileB x) { return dot(acc, w, x); }
inline void interleave_values(const std::int8_t* q, std::int64_t stride, std::int64_t depth,
                              int rows, std::int8_t* out) {
  interleave_units(q, stride, rows, depth / 4, out);
}
inline std::int32_t row_acc_init(const std::int8_t*, const std::int32_t* neg_sums) {
  std::int32_t sum = 0;
  for (int i = 0; i < kGroup / kSubBlock; ++i) sum += neg_sums[i * kSums + 2];
  return 128 * sum;
}
inline I tile_acc_init(std::int32_t start, const std::int32_t*, std::int64_t) {
  return set_i(start);
}
