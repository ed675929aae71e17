// The epilogue of one panel: bias, activation, gate and residual, tile by tile.
#pragma once

#include <algorithm>
#include <cstdint>

#include "compute/backend.h"
#include "compute/cpu/gemm/product.h"

namespace ocellus::compute::cpu {

// __builtin_prefetch(p, 1) asks for ownership of the line only where the compiler may use
// prefetchw, which every x86-64 machine has or takes for a nop.
inline void prefetch_to_write(const float* p) {
#ifdef __x86_64__
  asm volatile("prefetchw %0" : : "m"(*p));
#else
  __builtin_prefetch(p, 1);
#endif
}

// For a gate's panel, whose sums wait for those of the layer.
class NoEpilogue final : public TileEpilogue {
 public:
  void apply(std::int64_t, std::int64_t) const override {}
};

// 32 outputs of a block of rows. A tile is stored while the next one is multiplied, so that nothing
// waits for its stores.
class PanelEpilogue final : public TileEpilogue {
 public:
  struct Args {
    const F32Kernels& kernels;
    const LinearCall& call;
    std::int64_t panel;
    std::int64_t first_row, rows;  // the block's rows in call.y
    const float* sums;             // [rows][32]
    const float* gates;            // [rows][32], or null
  };
  explicit PanelEpilogue(const Args& args)
      : args_(args),
        first_out_(args.panel * kPanel),
        outs_(static_cast<int>(
            std::min<std::int64_t>(kPanel, args.call.weight->out() - first_out_))) {}

  void apply(std::int64_t first, std::int64_t rows) const override {
    const Epilogue& epilogue = args_.call.epilogue;
    EpilogueArgs kernel_args{.c = args_.sums + first * kPanel,
                             .rows = rows,
                             .bias = part(epilogue.bias),
                             .residual = nullptr,
                             .residual_stride = 0,
                             .n = outs_,
                             .y = args_.call.y.row(args_.first_row + first) + first_out_,
                             .y_stride = args_.call.y.stride};
    if (args_.gates != nullptr) {
      args_.kernels.gated_epilogue(epilogue.activation, kernel_args, args_.gates + first * kPanel,
                                   part(args_.call.gate_bias));
    } else {
      if (epilogue.residual.data != nullptr) {
        kernel_args.residual = epilogue.residual.row(args_.first_row + first) + first_out_;
        kernel_args.residual_stride = epilogue.residual.stride;
      }
      args_.kernels.epilogue(epilogue.activation, kernel_args);
    }
    for (std::int64_t r = first + rows; r < std::min(first + 2 * rows, args_.rows); ++r)
      prefetch(r);
  }

 private:
  // The lines that the next tile's row r is written to, and its residual.
  void prefetch(std::int64_t r) const {
    const float* const y = args_.call.y.row(args_.first_row + r) + first_out_;
    for (int i = 0; i < outs_; i += kLanes) prefetch_to_write(y + i);
    const ConstMatrix& residual = args_.call.epilogue.residual;
    if (residual.data == nullptr) return;
    for (int i = 0; i < outs_; i += kLanes)
      __builtin_prefetch(residual.row(args_.first_row + r) + first_out_ + i);
  }
  const float* part(const float* of_all) const {
    return of_all == nullptr ? nullptr : of_all + first_out_;
  }

  const Args args_;
  const std::int64_t first_out_;
  const int outs_;
};

}  // namespace ocellus::compute::cpu
