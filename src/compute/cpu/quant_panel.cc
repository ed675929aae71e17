#include "compute/cpu/quant_panel.h"

#include <cstring>

namespace ocellus::compute::cpu {
namespace {

using tensor::QuantLayout;

std::size_t plane_bytes(int bits) { return static_cast<std::size_t>(bits) * kStretch * kPanel / 8; }

// Where the parts of a stretch begin, counted from its begin.
struct Offsets {
  std::size_t d, dmin, scales, mins, low, high, end;
};

Offsets offsets_of(const QuantLayout& layout, std::int64_t k) {
  const bool begins = k % layout.values == 0;
  const std::size_t halves = begins ? kPanel * sizeof(std::uint16_t) : 0;
  const std::size_t bytes =
      layout.scales ? static_cast<std::size_t>(kStretch / layout.sub) * kPanel : 0;
  Offsets o{};
  o.dmin = o.d + halves;
  o.scales = o.dmin + (layout.mins ? halves : 0);
  o.mins = o.scales + bytes;
  o.low = o.mins + (layout.mins ? bytes : 0);
  o.high = o.low + plane_bytes(layout.low);
  o.end = o.high + plane_bytes(layout.high);
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
  const QuantLayout layout = tensor::quant_layout(type);
  std::size_t bytes = 0;
  for (std::int64_t k = 0; k < length; k += kStretch) bytes += offsets_of(layout, k).end;
  return bytes;
}

void pack_quant_chunk(tensor::DType type, const std::byte* source, std::size_t row_bytes,
                      std::int64_t rows, std::int64_t length, std::byte* chunk) {
  const QuantLayout layout = tensor::quant_layout(type);
  std::memset(chunk, 0, quant_chunk_bytes(type, length));
  const int parts_of_stretch = kStretch / layout.sub;
  tensor::QuantParts parts;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::byte* block = source + static_cast<std::size_t>(row) * row_bytes;
    const int lane = static_cast<int>(row);
    std::byte* stretch = chunk;
    for (std::int64_t k = 0; k < length; k += kStretch) {
      const Offsets o = offsets_of(layout, k);
      const int inside = static_cast<int>(k % layout.values);
      if (inside == 0) {
        tensor::split_block(type, block, parts);
        block += tensor::block_bytes(type);
        put_half(stretch + o.d, static_cast<std::size_t>(lane), parts.d);
        if (layout.mins) put_half(stretch + o.dmin, static_cast<std::size_t>(lane), parts.dmin);
      }
      for (int part = 0; layout.scales && part < parts_of_stretch; ++part) {
        const int at = part * kPanel + lane, from = inside / layout.sub + part;
        stretch[o.scales + static_cast<std::size_t>(at)] =
            static_cast<std::byte>(parts.scales[from]);
        if (layout.mins)
          stretch[o.mins + static_cast<std::size_t>(at)] = static_cast<std::byte>(parts.mins[from]);
      }
      for (int i = 0; i < kStretch; ++i) {
        const auto value = static_cast<unsigned>(parts.q[inside + i] + layout.offset);
        const int vector = i / 4 * 2 + lane / kLanes, byte = lane % kLanes * 4 + i % 4;
        put_low(stretch + o.low, layout.low, vector, byte, value);
        if (layout.high > 0)
          put_high(stretch + o.high, layout.high, vector, byte, value >> layout.low);
      }
      stretch += o.end;
    }
  }
}

QuantChunk quant_chunk(tensor::DType type, const std::byte* chunk, std::int64_t length) {
  const QuantLayout layout = tensor::quant_layout(type);
  return {.data = reinterpret_cast<const std::uint8_t*>(chunk),
          .length = length,
          .values = layout.values,
          .sub = layout.sub,
          .zero = layout.zero(),
          .low = layout.low,
          .high = layout.high,
          .scales = layout.scales,
          .mins = layout.mins};
}

}  // namespace ocellus::compute::cpu
