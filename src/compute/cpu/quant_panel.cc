#include "compute/cpu/quant_panel.h"

#include <algorithm>
#include <cstring>

namespace ocellus::compute::cpu {
namespace {

using tensor::QuantLayout;

// Where the parts of a chunk begin, in the order in which they stand.
struct Offsets {
  std::size_t d, dmin, scales, mins, u, end;
};

std::size_t plane_bytes(int bits) { return static_cast<std::size_t>(bits) * kStretch * kPanel / 8; }

// A tail that ends inside a block of 128 has the scales of a whole chunk: then the integers of all
// chunks of a panel are equally far apart.
Offsets offsets_of(const QuantLayout& layout, std::int64_t length) {
  const std::int64_t scaled = layout.values == kGroup && length > 0 ? kBlockK : length;
  const std::size_t blocks =
      static_cast<std::size_t>(scaled) / static_cast<std::size_t>(layout.values);
  const std::size_t subs = static_cast<std::size_t>(length) / static_cast<std::size_t>(layout.sub);
  const std::size_t halves = blocks * kPanel * sizeof(std::uint16_t), bytes = subs * kPanel;
  Offsets o{};
  o.dmin = o.d + halves;
  o.scales = o.dmin + (layout.mins ? halves : 0);
  o.mins = o.scales + (layout.scales ? bytes : 0);
  o.u = o.mins + (layout.scales && layout.mins ? bytes : 0);
  o.end = o.u + static_cast<std::size_t>(length) / kStretch * plane_bytes(layout.low + layout.high);
  return o;
}

void put_half(std::byte* to, std::size_t at, std::uint16_t half) {
  std::memcpy(to + at * sizeof(half), &half, sizeof(half));
}

// Sets bits in a plane that begins as zeros.
void put_low(std::byte* plane, int bits, int vector, int byte, unsigned value) {
  if (bits == 8) {
    plane[vector * 64 + byte] = static_cast<std::byte>(value);
  } else if (bits == 4) {
    const int word = vector / 4 * 2 + vector % 2, high = vector / 2 % 2;
    plane[word * 64 + byte] |= static_cast<std::byte>((value & 15u) << (high * 4));
  } else {
    plane[vector / 4 * 64 + byte] |= static_cast<std::byte>((value & 3u) << (vector % 4 * 2));
  }
}

void put_high(std::byte* plane, int bits, int vector, int byte, unsigned value) {
  if (bits == 2) return put_low(plane, 2, vector, byte, value);
  plane[vector * 8 + byte / 8] |= static_cast<std::byte>((value & 1u) << (byte % 8));
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
  const std::size_t stretch_bytes = plane_bytes(layout.low + layout.high);
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
      const std::int64_t values = std::min<std::int64_t>(layout.values, length - k);
      for (std::int64_t i = 0; i < values; ++i) {
        const auto value = static_cast<unsigned>(parts.q[i] + layout.offset);
        std::byte* const planes =
            chunk + o.u + static_cast<std::size_t>((k + i) / kStretch) * stretch_bytes;
        const int inside = static_cast<int>((k + i) % kStretch), lane = static_cast<int>(row);
        const int vector = inside / 4 * 2 + lane / kLanes, byte = lane % kLanes * 4 + inside % 4;
        put_low(planes, layout.low, vector, byte, value);
        if (layout.high > 0)
          put_high(planes + plane_bytes(layout.low), layout.high, vector, byte,
                   value >> layout.low);
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
          .u = reinterpret_cast<const std::uint8_t*>(chunk + o.u),
          .length = length,
          .values = layout.values,
          .sub = layout.sub,
          .zero = layout.zero(),
          .low = layout.low,
          .high = layout.high};
}

}  // namespace ocellus::compute::cpu
