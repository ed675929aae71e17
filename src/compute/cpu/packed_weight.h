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
  // `length` x 32 values from k on (a multiple of kBlockK), [length][32]: in place where that suits
  // the product of `rows` rows, else expanded to f32 in `scratch` [kBlockK * 32].
  struct Block {
    Element element;
    const void* data;
  };
  Block block(const Kernels& kernels, std::int64_t rows, std::int64_t panel, std::int64_t k,
              std::int64_t length, float* scratch) const;
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
