// How keys and values lie in a block of the KV cache.
#pragma once

#include <cstdint>

#include "compute/backend.h"
#include "compute/cpu/kernels.h"

namespace ocellus::compute::cpu {

// A block holds for each layer and key-value head: keys [head_dim][64 tokens], transposed, so that
// sixteen scores are one vector; then values [64 tokens][value_stride], head_dim rounded up to
// sixteen.
class KvLayout {
 public:
  explicit KvLayout(const KvGeometry& geometry)
      : geometry_(geometry), value_stride_((geometry.head_dim + kLanes - 1) / kLanes * kLanes) {}

  std::int64_t value_stride() const { return value_stride_; }
  Element element() const { return geometry_.dtype == DType::kF16 ? Element::kF16 : Element::kF32; }
  std::size_t block_bytes() const {
    return static_cast<std::size_t>(geometry_.layers * geometry_.kv_heads) * head_bytes();
  }
  template <typename Byte>
  Byte* keys(Byte* block, std::int64_t layer, std::int64_t head) const {
    return block + static_cast<std::size_t>(layer * geometry_.kv_heads + head) * head_bytes();
  }
  template <typename Byte>
  Byte* values(Byte* block, std::int64_t layer, std::int64_t head) const {
    return keys(block, layer, head) +
           static_cast<std::size_t>(geometry_.head_dim * kKvBlockTokens) * element_bytes();
  }

  // Writes one head's part of the rows of k and v.
  void store(std::int64_t layer, std::int64_t head, const SequenceRows& sequence, ConstMatrix k,
             ConstMatrix v) const;

 private:
  std::size_t element_bytes() const { return tensor::block_bytes(geometry_.dtype); }
  std::size_t head_bytes() const {
    return static_cast<std::size_t>((geometry_.head_dim + value_stride_) * kKvBlockTokens) *
           element_bytes();
  }

  KvGeometry geometry_;
  std::int64_t value_stride_;
};

}  // namespace ocellus::compute::cpu
