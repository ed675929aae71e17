// The inner loops, one table for each instruction set, chosen once.
//
// The contract of all tables: every result is the same sequence of IEEE f32 operations, so results
// are equal bit for bit between instruction sets. A product over K is cut into blocks of kBlockK:
// inside a block one chain of fused multiply-adds in the order of k, starting from zero; the
// blocks' sums are then added in order. Files that implement a table are compiled with
// instruction-set flags, so they must not share inline code with others: this header has plain data
// only.
#pragma once

#include <cstdint>

namespace ocellus::compute::cpu {

inline constexpr int kPanel = 32;        // outputs that lie together in a packed weight
inline constexpr int kMaxTileRows = 12;  // rows of the largest register tile
// So few rows multiply 16-bit weights as they come; more share one expansion to f32.
inline constexpr int kDirectRows = 4;
inline constexpr int kBlockK =
    256;  // 256 x 32 f32 of weights: 32 KiB, half of a 64 KiB L1 + L2 round trip
inline constexpr int kLanes = 16;  // lanes of the virtual vector that reductions are written with
inline constexpr int kKvBlockTokens = 64;

enum class Element : std::uint8_t { kF32, kF16, kBF16 };
enum class Function : std::uint8_t { kNone, kGelu, kGeluTanh, kQuickGelu, kSilu, kRelu };

// 32 outputs of several rows, after the product.
struct Finish {
  const float* c;  // [rows][32]
  std::int64_t rows;
  const float* bias;      // [n], or null
  const float* residual;  // or null; may be y
  std::int64_t residual_stride;
  int n;
  float* y;
  std::int64_t y_stride;
};

struct Kernels {
  const char* name;
  int tile_rows;  // rows of this table's register tile, at most kMaxTileRows

  // c[r][0..32) (+)= sum over k < depth of a[k * rows + r] * b[k * 32 + o]; rows <= tile_rows, and
  // <= kDirectRows where b is not f32. `add`: else c is overwritten.
  void (*tile)(const float* a, int rows, Element element, const void* b, std::int64_t depth,
               bool add, float* c);
  // n values (a multiple of 16, 64-byte aligned source not required) to f32.
  void (*expand)(Element element, const void* from, std::int64_t n, float* to);
  // y[r][i] = function(c[r][i] + bias[i]) + residual[r][i], i < n <= 32.
  void (*finish)(Function function, const Finish& args);
  // y[r][i] = function(gate[r][i] + gate_bias[i]) * (c[r][i] + bias[i]); args.residual is not used.
  void (*finish_gated)(Function function, const Finish& args, const float* gate,
                       const float* gate_bias);
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps,
                     std::int64_t n, float* y);
  void (*rms_norm)(const float* x, const float* weight, float eps, std::int64_t n, float* y);
  void (*add)(const float* x, std::int64_t n, float* y);
  void (*gated)(Function function, float* gate, const float* up, std::int64_t n);
  // Rotates (x[i], x[i + half]) by angle i.
  void (*rotate)(float* x, const float* cos, const float* sin, std::int64_t half);
};

// Always there.
const Kernels& scalar_kernels();
// Null where the compiler's target or the machine does not have the instructions.
const Kernels* avx2_kernels();    // AVX2, FMA, F16C
const Kernels* avx512_kernels();  // AVX-512 F, BW, VL, DQ

}  // namespace ocellus::compute::cpu
