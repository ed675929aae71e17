#include <algorithm>

#include "base/result.h"
#include "compute/cpu/gemm/product.h"
#include "compute/cpu/quant/quant_panel.h"

namespace ocellus::compute::cpu {
namespace {

// Inputs of a panel at a time, a multiple of kBlockK. Bytes: 128 KiB of weights stay in the L2.
// 16-bit values: 16 KiB stay in the L1, because tiles of fewer rows pass through them more often.
std::int64_t block_k(const Int8Kernels& kernels) {
  return kernels.tile_value_bytes == 1 ? 4096 : kBlockK;
}

std::int64_t whole_groups(std::int64_t n) { return (n + kGroup - 1) / kGroup * kGroup; }

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

std::int64_t row_stride(std::int64_t depth) { return depth + 64; }

// Offsets of the parts of `rows` rows of 8-bit activations. Rows have a line between them: a power
// of two apart, they would share one set of the cache.
struct RowMemory {
  std::size_t q, scales, neg_sums, end;

  RowMemory(std::int64_t rows, std::int64_t depth) {
    const auto values = static_cast<std::size_t>(rows * depth);
    q = 0;
    scales = aligned(static_cast<std::size_t>(rows * row_stride(depth)));
    neg_sums = scales + aligned(values / kGroup * sizeof(float));
    end = neg_sums + aligned(values / kSubBlock * kSums * sizeof(std::int32_t));
  }
};

// Offsets in a thread's scratch: a block of weights for tiles, and a chunk before it is widened.
struct Scratch {
  std::size_t q, scales, acc_init, chunk, end;

  explicit Scratch(const Int8Kernels& kernels) {
    const std::int64_t block = block_k(kernels);
    const auto groups = static_cast<std::size_t>(block / kGroup);
    q = 0;
    scales = static_cast<std::size_t>(block * kPanel * kernels.tile_value_bytes);
    acc_init = scales + groups * kPanel * sizeof(float);
    chunk = acc_init + groups * kPanel * sizeof(std::int32_t);
    end = chunk + kBlockK * kPanel;
  }
};

// Weights for tiles: `length` values from chunk `from` on.
Int8Panel take_block(const GemmTables& tables, const PackedWeight& weight, const std::byte* from,
                     std::int64_t length, std::byte* memory) {
  const Int8Kernels& kernels = *tables.int8;
  const Scratch parts(kernels);
  auto* const q = reinterpret_cast<std::uint8_t*>(memory + parts.q);
  auto* const scales = reinterpret_cast<float*>(memory + parts.scales);
  auto* const acc_init = reinterpret_cast<std::int32_t*>(memory + parts.acc_init);
  auto* const bytes = reinterpret_cast<std::uint8_t*>(memory + parts.chunk);
  Int8Panel ready{q, kGroup * kPanel * kernels.tile_value_bytes, scales, acc_init};
  for (std::int64_t at = 0; at < length; at += kBlockK, from += weight.chunk_bytes()) {
    const QuantChunk chunk =
        quant_chunk(weight.dtype(), from, std::min<std::int64_t>(kBlockK, length - at));
    const std::int64_t place = at / kGroup * kPanel;  // of what each group has once
    std::uint8_t* const to = kernels.widen_i16 == nullptr ? q + at * kPanel : bytes;
    Int8Panel eight{to, kGroup * kPanel, scales};
    if (chunk.type == DType::kQ8) {
      // Its integers are in the order of Int8Panel.
      eight = {chunk.data + kQ8ScaleBytes, kQ8GroupBytes, scales};
      for (std::int64_t g = 0; g * kGroup < chunk.length; ++g) {
        tables.f32->expand(Element::kF16, chunk.data + g * kQ8GroupBytes, kPanel,
                           scales + place + g * kPanel);
      }
    } else {
      kernels.requantize(chunk, to, scales + place);
    }
    if (kernels.widen_i16 != nullptr) {
      kernels.widen_i16(eight, chunk.length, q + at * kPanel * kernels.tile_value_bytes,
                        acc_init + place);
    } else if (at == 0) {
      ready = eight;
    }
  }
  return ready;
}

}  // namespace

Result<Int8PrefillProduct> Int8PrefillProduct::prepare(const ProductTools& tools, ConstMatrix x) {
  const Int8Kernels& kernels = *tools.kernels.int8;
  const std::int64_t depth = whole_groups(x.cols), groups = depth / kGroup;
  Int8PrefillProduct product(tools.kernels, x.rows, depth);
  const auto count = static_cast<std::size_t>(x.rows * groups);
  const std::size_t scale_bytes = aligned(count * sizeof(float));
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const memory,
      tools.workspace.take(
          CpuWorkspace::kActivations,
          count * kGroup * static_cast<std::size_t>(kernels.tile_value_bytes) + 2 * scale_bytes));
  product.q_ = reinterpret_cast<std::int8_t*>(memory + 2 * scale_bytes);
  product.scales_ = reinterpret_cast<float*>(memory);
  product.acc_init_ = reinterpret_cast<std::int32_t*>(memory + scale_bytes);
  // A tile's rows before they are interleaved.
  const RowMemory parts(kernels.tile_rows, depth);
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const rounded,
      tools.workspace.take(CpuWorkspace::kTiles,
                           parts.end * static_cast<std::size_t>(tools.pool.threads())));
  const RowTiles& tiles = product.tiles_;
  tools.pool.run(tiles.count(), [&](std::int64_t tile, int thread) {
    std::byte* const mine = rounded + static_cast<std::size_t>(thread) * parts.end;
    auto* const q = reinterpret_cast<std::int8_t*>(mine);
    auto* const scales = reinterpret_cast<float*>(mine + parts.scales);
    auto* const neg_sums = reinterpret_cast<std::int32_t*>(mine + parts.neg_sums);
    const std::int64_t first = tiles.first(tile);
    const int rows = tiles.rows(tile);
    for (int r = 0; r < rows; ++r) {
      kernels.round_row(x.row(first + r), x.cols, q + r * row_stride(depth), scales + r * groups,
                        neg_sums + r * (depth / kSubBlock) * kSums);
    }
    interleave(scales, groups, rows, groups, product.scales_ + first * groups);
    kernels.interleave(
        {.q = q, .neg_sums = neg_sums, .stride = row_stride(depth), .depth = depth, .rows = rows},
        product.q_ + first * depth * kernels.tile_value_bytes, product.acc_init_ + first * groups);
  });
  return product;
}

std::size_t Int8PrefillProduct::scratch_bytes() const { return Scratch(*kernels_->int8).end; }

void Int8PrefillProduct::multiply(const PackedWeight& weight, std::int64_t panel,
                                  std::byte* scratch, float* sums,
                                  const TileEpilogue& epilogue) const {
  const Int8Kernels& kernels = *kernels_->int8;
  const std::int64_t depth = weight.padded_in(), block = block_k(kernels);
  const std::byte* from = weight.panel(panel);
  for (std::int64_t k = 0; k < depth; k += block) {
    const std::int64_t length = std::min(block, depth - k);
    const Int8Panel ready = take_block(*kernels_, weight, from, length, scratch);
    from += block / kBlockK * static_cast<std::int64_t>(weight.chunk_bytes());
    for (std::int64_t tile = 0; tile < tiles_.count(); ++tile) {
      const std::int64_t first = tiles_.first(tile), groups = depth_ / kGroup;
      const int rows = tiles_.rows(tile);
      const std::int64_t scale_at = first * groups + k / kGroup * rows;
      const std::int64_t place = first * depth_ + k * rows;
      // The last one's neighbour is the first.
      const std::int64_t after = (tile + 1) % tiles_.count();
      const std::int64_t next = tiles_.first(after) * depth_ + k * tiles_.rows(after);
      const Int8Tile operand{q_ + place * kernels.tile_value_bytes, scales_ + scale_at,
                             acc_init_ + scale_at, rows, (next - place) * kernels.tile_value_bytes};
      kernels.tile(operand, ready, length, k > 0, sums + first * kPanel);
      if (k + length == depth) epilogue.apply(first, rows);
    }
  }
}

Result<Int8DecodeProduct> Int8DecodeProduct::prepare(const ProductTools& tools, ConstMatrix x) {
  const Int8Kernels& kernels = *tools.kernels.int8;
  const std::int64_t depth = whole_groups(x.cols), rows = x.rows;
  const RowMemory parts(rows, depth), one(1, depth);
  OCELLUS_ASSIGN_OR_RETURN(std::byte* const memory,
                           tools.workspace.take(CpuWorkspace::kActivations, parts.end));
  auto* const q = reinterpret_cast<std::int8_t*>(memory);
  auto* const scales = reinterpret_cast<float*>(memory + parts.scales);
  auto* const neg_sums = reinterpret_cast<std::int32_t*>(memory + parts.neg_sums);
  const Int8DecodeProduct product(kernels, {q, scales, neg_sums, rows, depth});
  if (rows == 1) {
    // One row is in order; waking a thread would take longer.
    kernels.round_row(x.row(0), x.cols, q, scales, neg_sums);
    return product;
  }
  // A row of each thread before it is interleaved.
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const rounded,
      tools.workspace.take(CpuWorkspace::kTiles,
                           one.end * static_cast<std::size_t>(tools.pool.threads())));
  tools.pool.run(rows, [&](std::int64_t row, int thread) {
    std::byte* const mine = rounded + static_cast<std::size_t>(thread) * one.end;
    auto* const row_q = reinterpret_cast<std::int8_t*>(mine);
    auto* const row_scales = reinterpret_cast<float*>(mine + one.scales);
    auto* const row_neg_sums = reinterpret_cast<std::int32_t*>(mine + one.neg_sums);
    kernels.round_row(x.row(row), x.cols, row_q, row_scales, row_neg_sums);
    for (std::int64_t g = 0; g < depth / kGroup; ++g) scales[g * rows + row] = row_scales[g];
    for (std::int64_t s = 0; s < depth / kSubBlock; ++s) {
      std::copy_n(row_q + s * kSubBlock, kSubBlock, q + (s * rows + row) * kSubBlock);
      std::copy_n(row_neg_sums + s * kSums, kSums, neg_sums + (s * rows + row) * kSums);
    }
  });
  return product;
}

void Int8DecodeProduct::multiply(const PackedWeight& weight, std::int64_t panel, std::byte* scratch,
                                 float* sums, const TileEpilogue& epilogue) const {
  auto* const chains = reinterpret_cast<float*>(scratch);
  const std::int64_t depth = weight.padded_in();
  const std::byte* from = weight.panel(panel);
  for (std::int64_t k = 0; k < depth; k += kBlockK, from += weight.chunk_bytes()) {
    kernels_->dot(quant_chunk(weight.dtype(), from, std::min<std::int64_t>(kBlockK, depth - k)),
                  rows_, k, k > 0, chains, sums);
  }
  epilogue.apply(0, rows_.rows);
}

}  // namespace ocellus::compute::cpu
