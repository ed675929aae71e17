#include "compute/cpu/attention/kv_blocks.h"

#include <algorithm>

namespace ocellus::compute::cpu {

void KvLayout::store(void (*store)(const KvRun&), std::int64_t layer, std::int64_t kv_head,
                     const SequenceRows& sequence, ConstMatrix k, ConstMatrix v) const {
  const std::int64_t dim = geometry_.head_dim;
  for (std::int64_t i = 0; i < sequence.rows;) {
    const std::int64_t position = sequence.first_slot + i, token = position % kKvBlockTokens;
    const std::int64_t tokens = std::min(kKvBlockTokens - token, sequence.rows - i);
    const Head to =
        head(sequence.blocks[static_cast<std::size_t>(position / kKvBlockTokens)], layer, kv_head);
    store({.k = k.row(sequence.first_row + i) + kv_head * dim,
           .v = v.row(sequence.first_row + i) + kv_head * dim,
           .k_stride = k.stride,
           .v_stride = v.stride,
           .tokens = static_cast<int>(tokens),
           .token = static_cast<int>(token),
           .head_dim = static_cast<int>(dim),
           .stride = static_cast<int>(value_stride_),
           .element = element(),
           .keys = to.keys,
           .values = to.values,
           .key_scales = to.key_scales,
           .value_scales = to.value_scales});
    i += tokens;
  }
}

}  // namespace ocellus::compute::cpu
