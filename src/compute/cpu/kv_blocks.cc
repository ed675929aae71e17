#include "compute/cpu/kv_blocks.h"

namespace ocellus::compute::cpu {
namespace {

void write(Element element, std::byte* to, std::int64_t i, float value) {
  if (element == Element::kF16) {
    reinterpret_cast<std::uint16_t*>(to)[i] = tensor::f32_to_f16(value);
  } else {
    reinterpret_cast<float*>(to)[i] = value;
  }
}

}  // namespace

void KvLayout::store(std::int64_t layer, std::int64_t head, const SequenceRows& sequence,
                     ConstMatrix k, ConstMatrix v) const {
  const std::int64_t dim = geometry_.head_dim;
  for (std::int64_t i = 0; i < sequence.rows; ++i) {
    const std::int64_t position = sequence.first_position + i, token = position % kKvBlockTokens;
    std::byte* const block = sequence.blocks[static_cast<std::size_t>(position / kKvBlockTokens)];
    std::byte* const key_block = keys(block, layer, head);
    std::byte* const value_block = values(block, layer, head);
    const float* const key = k.row(sequence.first_row + i) + head * dim;
    const float* const value = v.row(sequence.first_row + i) + head * dim;
    for (std::int64_t d = 0; d < dim; ++d)
      write(element(), key_block, d * kKvBlockTokens + token, key[d]);
    for (std::int64_t d = 0; d < dim; ++d)
      write(element(), value_block, token * value_stride_ + d, value[d]);
    // The padding is multiplied too; it must be a number.
    for (std::int64_t d = dim; d < value_stride_; ++d)
      write(element(), value_block, token * value_stride_ + d, 0);
  }
}

}  // namespace ocellus::compute::cpu
