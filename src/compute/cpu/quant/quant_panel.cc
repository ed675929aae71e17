#include "compute/cpu/quant/quant_panel.h"

#include <cstring>

namespace ocellus::compute::cpu {
namespace {

using tensor::QuantLayout;

std::size_t plane_bytes(int bits) {
  return static_cast<std::size_t>(bits) * kSubBlock * kPanel / 8;
}

// Offsets of the parts of a sub-block.
struct Offsets {
  std::size_t d, dmin, scales, mins, low, high, end;
};

Offsets offsets_of(tensor::DType type, std::int64_t k) {
  const QuantLayout& layout = tensor::quant_layout(type);
  const bool begins = tensor::whole_blocks(type, k);
  const std::size_t halves = begins ? kPanel * sizeof(std::uint16_t) : 0;
  const std::size_t bytes =
      layout.scales ? static_cast<std::size_t>(kSubBlock / layout.sub) * kPanel : 0;
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

std::uint32_t word_at(const std::byte* from) {
  std::uint32_t word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

void or_word(std::byte* to, std::uint32_t word) {
  word |= word_at(to);
  std::memcpy(to, &word, sizeof(word));
}

// Puts the 32 values of one row into a sub-block's planes, which begin as zeros. Four values of k
// are one word.
void put_low(const std::byte* values, int bits, int lane, std::byte* plane) {
  const int half = lane / kLanes, place = lane % kLanes * 4;
  for (int i = 0; i < kSubBlock / 4; ++i) {
    const std::uint32_t four = word_at(values + i * 4);
    if (bits == 8) {
      std::memcpy(plane + (2 * i + half) * 64 + place, &four, sizeof(four));
    } else if (bits == 4) {
      or_word(plane + (i / 2 * 2 + half) * 64 + place, (four & 0x0F0F0F0Fu) << (i % 2 * 4));
    } else {
      or_word(plane + i / 2 * 64 + place, (four & 0x03030303u) << (i % 2 * 4 + half * 2));
    }
  }
}

void put_high(const std::byte* values, int low, int bits, int lane, std::byte* plane) {
  const int half = lane / kLanes;
  for (int i = 0; i < kSubBlock / 4; ++i) {
    const std::uint32_t four = word_at(values + i * 4) >> low;
    if (bits == 2) {
      or_word(plane + i / 2 * 64 + lane % kLanes * 4, (four & 0x03030303u)
                                                          << (i % 2 * 4 + half * 2));
    } else {
      // The product gathers the four bits.
      const std::uint32_t together = (four & 0x01010101u) * 0x01020408u >> 24 & 15u;
      plane[(2 * i + half) * 8 + lane % kLanes / 2] |=
          static_cast<std::byte>(together << (lane % 2 * 4));
    }
  }
}

}  // namespace

std::size_t quant_chunk_bytes(tensor::DType type, std::int64_t length) {
  std::size_t bytes = 0;
  for (std::int64_t k = 0; k < length; k += kSubBlock) bytes += offsets_of(type, k).end;
  return bytes;
}

void pack_quant_chunk(tensor::DType type, const std::byte* source, std::size_t row_bytes,
                      std::int64_t rows, std::int64_t length, std::byte* chunk) {
  const QuantLayout& layout = tensor::quant_layout(type);
  std::memset(chunk, 0, quant_chunk_bytes(type, length));
  const int parts_of_sub_block = kSubBlock / layout.sub;
  tensor::QuantParts parts;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::byte* block = source + static_cast<std::size_t>(row) * row_bytes;
    const int lane = static_cast<int>(row);
    std::byte* sub_block = chunk;
    for (std::int64_t k = 0; k < length; k += kSubBlock) {
      const Offsets o = offsets_of(type, k);
      const int inside =
          static_cast<int>(k % static_cast<std::int64_t>(tensor::block_values(type)));
      if (inside == 0) {
        tensor::unpack_block(type, block, parts);
        block += tensor::block_bytes(type);
        put_half(sub_block + o.d, static_cast<std::size_t>(lane), parts.d);
        if (layout.mins) put_half(sub_block + o.dmin, static_cast<std::size_t>(lane), parts.dmin);
      }
      for (int part = 0; layout.scales && part < parts_of_sub_block; ++part) {
        const int at = part * kPanel + lane, from = inside / layout.sub + part;
        sub_block[o.scales + static_cast<std::size_t>(at)] =
            static_cast<std::byte>(parts.scales[from]);
        if (layout.mins)
          sub_block[o.mins + static_cast<std::size_t>(at)] =
              static_cast<std::byte>(parts.mins[from]);
      }
      std::byte values[kSubBlock];
      for (int i = 0; i < kSubBlock; ++i)
        values[i] = static_cast<std::byte>(parts.q[inside + i] + layout.offset);
      put_low(values, layout.low, lane, sub_block + o.low);
      if (layout.high > 0) put_high(values, layout.low, layout.high, lane, sub_block + o.high);
      sub_block += o.end;
    }
  }
}

QuantChunk quant_chunk(tensor::DType type, const std::byte* chunk, std::int64_t length) {
  return {.data = reinterpret_cast<const std::uint8_t*>(chunk), .length = length, .type = type};
}

}  // namespace ocellus::compute::cpu
