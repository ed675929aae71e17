// A weight matrix in the order in which the kernels read it.
#pragma once

#include "base/aligned_buffer.h"
#include "compute/backend.h"
#include "compute/cpu/kernels.h"
#include "compute/cpu/thread_pool.h"

namespace ocellus::compute::cpu {

// [out / 32][in][32] in the stored element type, the last panel padded with zeros: a panel's
// product walks memory once, forwards.
class PackedWeight final : public Weight {
 public:
  static Result<std::unique_ptr<PackedWeight>> pack(const tensor::TensorView& source, DType dtype,
                                                    ThreadPool& pool);

  std::int64_t out() const override { return out_; }
  std::int64_t in() const override { return in_; }
  DType dtype() const override { return dtype_; }
  std::size_t bytes() const override { return buffer_.size(); }

  std::int64_t panels() const { return (out_ + kPanel - 1) / kPanel; }
  Element element() const;
  // The values of 32 outputs for inputs from k on.
  const std::byte* at(std::int64_t panel, std::int64_t k) const {
    return buffer_.data() +
           static_cast<std::size_t>((panel * in_ + k) * kPanel) * tensor::block_bytes(dtype_);
  }
  float value(std::int64_t o, std::int64_t i) const;

 private:
  std::int64_t out_ = 0, in_ = 0;
  DType dtype_ = DType::kF32;
  base::AlignedBuffer buffer_;
};

}  // namespace ocellus::compute::cpu
