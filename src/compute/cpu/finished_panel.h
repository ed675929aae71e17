// What becomes of a panel's sums.
#pragma once

#include <algorithm>
#include <cstdint>

#include "compute/cpu/linear.h"
#include "compute/cpu/product.h"

namespace ocellus::compute::cpu {

// __builtin_prefetch(p, 1) asks for writing only where the compiler may use the instruction; every
// x86-64 machine has it, or takes it for nothing.
inline void fetch_to_write(const float* p) {
#ifdef __x86_64__
  asm volatile("prefetchw %0" : : "m"(*p));
#else
  __builtin_prefetch(p, 1);
#endif
}

// Where a panel's gate is multiplied, its sums wait for those of the layer.
class KeptSums final : public TileSink {
 public:
  void take(std::int64_t, std::int64_t) const override {}
};

// 32 outputs of a block of rows that begins at `block`: bias, activation, gate, residual. Each tile
// is finished while the next is multiplied: its stores wait for memory that nobody waits for.
class FinishedPanel final : public TileSink {
 public:
  FinishedPanel(const Kernels& kernels, const LinearCall& call, std::int64_t panel,
                std::int64_t block, std::int64_t rows, const float* sums, const float* gates)
      : kernels_(kernels),
        call_(call),
        from_(panel * kPanel),
        outs_(static_cast<int>(std::min<std::int64_t>(kPanel, call.weight->out() - from_))),
        block_(block),
        rows_(rows),
        sums_(sums),
        gates_(gates) {}

  void take(std::int64_t first, std::int64_t rows) const override {
    const Epilogue& epilogue = call_.epilogue;
    const Function function = function_of(epilogue.activation);
    Finish args{.c = sums_ + first * kPanel,
                .rows = rows,
                .bias = part(epilogue.bias),
                .residual = nullptr,
                .residual_stride = 0,
                .n = outs_,
                .y = call_.y.row(block_ + first) + from_,
                .y_stride = call_.y.stride};
    if (gates_ != nullptr) {
      kernels_.finish_gated(function, args, gates_ + first * kPanel, part(call_.gate_bias));
    } else {
      if (epilogue.residual.data != nullptr) {
        args.residual = epilogue.residual.row(block_ + first) + from_;
        args.residual_stride = epilogue.residual.stride;
      }
      kernels_.finish(function, args);
    }
    for (std::int64_t r = first + rows; r < std::min(first + 2 * rows, rows_); ++r) fetch(r);
  }

 private:
  // Asks for the lines that row r will be written to, and its residual: by then they are there.
  void fetch(std::int64_t r) const {
    const float* const y = call_.y.row(block_ + r) + from_;
    for (int i = 0; i < outs_; i += kLanes) fetch_to_write(y + i);
    const ConstMatrix& residual = call_.epilogue.residual;
    if (residual.data == nullptr) return;
    for (int i = 0; i < outs_; i += kLanes)
      __builtin_prefetch(residual.row(block_ + r) + from_ + i);
  }
  const float* part(const float* of_all) const {
    return of_all == nullptr ? nullptr : of_all + from_;
  }

  const Kernels& kernels_;
  const LinearCall& call_;
  std::int64_t from_;
  int outs_;
  std::int64_t block_, rows_;
  const float *sums_, *gates_;
};

}  // namespace ocellus::compute::cpu
