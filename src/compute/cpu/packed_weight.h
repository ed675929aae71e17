// A weight matrix in the order in which the kernels read it.
#pragma once

#include "base/aligned_buffer.h"
#include "compute/backend.h"
#include "compute/cpu/kernels.h"
#include "compute/cpu/thread_pool.h"

namespace ocellus::compute::cpu {

// [out / 32][in][32] in the stored element type, the last panel padded with zeros: a panel's
// product walks memory once, forwards. Block types: [out / 32][in / 256] chunks (quant_panel.h).
class PackedWeight final : public Weight {
 public:
  static Result<std::unique_ptr<PackedWeight>> pack(const tensor::TensorView& source, DType dtype,
                                                    ThreadPool& pool);

  std::int64_t out() const override { return out_; }
  std::int64_t in() const override { return in_; }
  DType dtype() const override { return dtype_; }
  std::size_t bytes() const override { return buffer_.size(); }

  std::int64_t panels() const { return (out_ + kPanel - 1) / kPanel; }
  // Multiplies `length` inputs from k on (a multiple of kBlockK) with 32 outputs, by the contract
  // of kernels.h: `tiles` of `a` into c [rows][32]. `scratch`: [kBlockK * 32].
  struct Rows {
    const float* data;  // [tile][depth][rows of the tile]
    std::int64_t rows, depth;
    int tile_rows;

    std::int64_t tiles() const { return (rows + tile_rows - 1) / tile_rows; }
    int rows_of(std::int64_t tile) const {
      return static_cast<int>(rows - tile * tile_rows < tile_rows ? rows - tile * tile_rows
                                                                  : tile_rows);
    }
    const float* at(std::int64_t tile, std::int64_t k) const {
      return data + tile * tile_rows * depth + k * rows_of(tile);
    }
  };
  void multiply(const Kernels& kernels, const Rows& x, std::int64_t panel, std::int64_t k,
                std::int64_t length, float* scratch, float* c) const;
  // Row o of the matrix in f32.
  void row(const Kernels& kernels, std::int64_t o, float* out) const;

 private:
  Element element() const;
  // Where the values of 32 outputs for inputs from k on begin.
  const std::byte* at(std::int64_t panel, std::int64_t k) const {
    return buffer_.data() + static_cast<std::size_t>(panel) * panel_bytes_ +
           (tensor::is_quantized(dtype_)
                ? static_cast<std::size_t>(k / kBlockK) * chunk_bytes_
                : static_cast<std::size_t>(k * kPanel) * tensor::block_bytes(dtype_));
  }

  std::int64_t out_ = 0, in_ = 0;
  DType dtype_ = DType::kF32;
  std::size_t panel_bytes_ = 0, chunk_bytes_ = 0;  // chunks: of kBlockK values
  base::AlignedBuffer buffer_;
};

}  // namespace ocellus::compute::cpu
