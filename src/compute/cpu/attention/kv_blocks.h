// The layout of a block of the KV cache.
#pragma once

#include <cstdint>

#include "compute/backend.h"
#include "compute/cpu/attention/kernels.h"

namespace ocellus::compute::cpu {

// A block holds for each layer and key-value head, in the order in which attention reads them: keys
// [head_dim][64], transposed, so that sixteen scores are one vector; in 8-bit caches the f32 scales
// of the keys [64] and of the values [64]; values [64][value_stride], head_dim rounded up to
// sixteen. In bf16, which no cache is stored in, both are pairs: keys [head_dim rounded up to two /
// 2][64][2], values [32][value_stride][2].
class KvLayout {
 public:
  static bool supports(DType dtype) {
    return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kQ8_0;
  }

  explicit KvLayout(const KvGeometry& geometry)
      : geometry_(geometry), value_stride_((geometry.head_dim + kLanes - 1) / kLanes * kLanes) {}

  std::int64_t kv_heads() const { return geometry_.kv_heads; }
  std::int64_t value_stride() const { return value_stride_; }
  KvElement element() const {
    return geometry_.dtype == DType::kQ8_0   ? KvElement::kQ8
           : geometry_.dtype == DType::kF16  ? KvElement::kF16
           : geometry_.dtype == DType::kBF16 ? KvElement::kPairs
                                             : KvElement::kF32;
  }
  std::size_t block_bytes() const {
    return static_cast<std::size_t>(geometry_.layers * geometry_.kv_heads) * head_bytes();
  }

  // One key-value head of one layer inside a block; the scales are null unless the cache is 8-bit.
  struct Head {
    std::uint8_t* keys;
    float* key_scales;
    float* value_scales;
    std::uint8_t* values;
  };
  Head head(std::byte* block, std::int64_t layer, std::int64_t kv_head) const {
    auto* const keys =
        reinterpret_cast<std::uint8_t*>(block) +
        static_cast<std::size_t>(layer * geometry_.kv_heads + kv_head) * head_bytes();
    std::uint8_t* const scales =
        keys + static_cast<std::size_t>(key_rows() * kKvBlockTokens) * element_bytes();
    if (element() != KvElement::kQ8) return {keys, nullptr, nullptr, scales};
    auto* const key_scales = reinterpret_cast<float*>(scales);
    return {keys, key_scales, key_scales + kKvBlockTokens, scales + scale_bytes()};
  }

  // Writes one head's part of the rows of k and v with `store`, of a table for element().
  void store(void (*store)(const KvRun&), std::int64_t layer, std::int64_t kv_head,
             const SequenceRows& sequence, ConstMatrix k, ConstMatrix v) const;

 private:
  std::size_t element_bytes() const {
    return element() == KvElement::kF32 ? 4 : element() == KvElement::kQ8 ? 1 : 2;
  }
  std::int64_t key_rows() const {
    return geometry_.head_dim + (element() == KvElement::kPairs ? geometry_.head_dim % 2 : 0);
  }
  std::size_t scale_bytes() const {
    return element() == KvElement::kQ8 ? 2 * kKvBlockTokens * sizeof(float) : 0;
  }
  std::size_t head_bytes() const {
    return static_cast<std::size_t>((key_rows() + value_stride_) * kKvBlockTokens) *
               element_bytes() +
           scale_bytes();
  }

  KvGeometry geometry_;
  std::int64_t value_stride_;
};

}  // namespace ocellus::compute::cpu
