#include "compute/cpu/quant_panel.h"

#include <cstring>

namespace ocellus::compute::cpu {
namespace {

using tensor::QuantLayout;

// Where the parts of a chunk begin, in the order in which they stand.
struct Offsets {
  std::size_t d, dmin, scales, mins, q, end;
};

Offsets offsets_of(const QuantLayout& layout, std::int64_t length) {
  const std::size_t blocks =
      static_cast<std::size_t>(length) / static_cast<std::size_t>(layout.values);
  const std::size_t subs = static_cast<std::size_t>(length) / static_cast<std::size_t>(layout.sub);
  const std::size_t halves = blocks * kPanel * sizeof(std::uint16_t), bytes = subs * kPanel;
  Offsets o{};
  o.dmin = o.d + halves;
  o.scales = o.dmin + (layout.mins ? halves : 0);
  o.mins = o.scales + (layout.scales ? bytes : 0);
  o.q = o.mins + (layout.scales && layout.mins ? bytes : 0);
  o.end = o.q + static_cast<std::size_t>(length) * kPanel / (layout.nibbles ? 2 : 1);
  return o;
}

void put_half(std::byte* to, std::size_t at, std::uint16_t half) {
  std::memcpy(to + at * sizeof(half), &half, sizeof(half));
}

}  // namespace

std::size_t quant_chunk_bytes(tensor::DType type, std::int64_t length) {
  return offsets_of(tensor::quant_layout(type), length).end;
}

void pack_quant_chunk(tensor::DType type, const std::byte* source, std::size_t row_bytes,
                      std::int64_t rows, std::int64_t length, std::byte* chunk) {
  const QuantLayout layout = tensor::quant_layout(type);
  const Offsets o = offsets_of(layout, length);
  std::memset(chunk, 0, o.end);
  tensor::QuantParts parts;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::byte* block = source + static_cast<std::size_t>(row) * row_bytes;
    for (std::int64_t k = 0; k < length; k += layout.values, block += tensor::block_bytes(type)) {
      tensor::split_block(type, block, parts);
      const auto number = static_cast<std::size_t>(k / layout.values * kPanel + row);
      put_half(chunk + o.d, number, parts.d);
      if (layout.mins) put_half(chunk + o.dmin, number, parts.dmin);
      for (int s = 0; layout.scales && s < layout.values / layout.sub; ++s) {
        const auto at = static_cast<std::size_t>((k / layout.sub + s) * kPanel + row);
        chunk[o.scales + at] = static_cast<std::byte>(parts.scales[s]);
        if (layout.mins) chunk[o.mins + at] = static_cast<std::byte>(parts.mins[s]);
      }
      for (int i = 0; i < layout.values; ++i) {
        const auto value = static_cast<unsigned char>(parts.q[i]);
        if (layout.nibbles) {
          const auto at = static_cast<std::size_t>((k + i) / 2 * kPanel + row);
          chunk[o.q + at] |= static_cast<std::byte>(value << ((k + i) % 2 * 4));
        } else {
          chunk[o.q + static_cast<std::size_t>((k + i) * kPanel + row)] = std::byte{value};
        }
      }
    }
  }
}

QuantChunk quant_chunk(tensor::DType type, const std::byte* chunk, std::int64_t length) {
  const QuantLayout layout = tensor::quant_layout(type);
  const Offsets o = offsets_of(layout, length);
  const auto halves = [&](std::size_t at) {
    return reinterpret_cast<const std::uint16_t*>(chunk + at);
  };
  const auto bytes = [&](std::size_t at) {
    return reinterpret_cast<const std::int8_t*>(chunk + at);
  };
  return {.d = halves(o.d),
          .dmin = layout.mins ? halves(o.dmin) : nullptr,
          .scales = layout.scales ? bytes(o.scales) : nullptr,
          .mins = layout.scales && layout.mins ? bytes(o.mins) : nullptr,
          .q = bytes(o.q),
          .length = length,
          .values = layout.values,
          .sub = layout.sub,
          .bias = static_cast<float>(layout.bias),
          .nibbles = layout.nibbles};
}

}  // namespace ocellus::compute::cpu
