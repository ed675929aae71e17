#include <algorithm>

#include "base/result.h"
#include "compute/cpu/gemm/product.h"

namespace ocellus::compute::cpu {

Result<Bf16Product> Bf16Product::prepare(const ProductTools& tools, ConstMatrix x) {
  const Bf16Kernels& kernels = *tools.kernels.bf16;
  const std::int64_t pairs = (x.cols + 1) / 2;
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const memory,
      tools.workspace.take(CpuWorkspace::kActivations,
                           static_cast<std::size_t>(x.rows * pairs) * sizeof(std::uint32_t)));
  // A tile's rounded rows before they are interleaved, a line between them: a power of two apart,
  // they would share one set of the cache.
  const std::int64_t stride = pairs + 64 / std::int64_t{sizeof(std::uint32_t)};
  const std::size_t tile_bytes =
      static_cast<std::size_t>(stride * kernels.tile_rows) * sizeof(std::uint32_t);
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const rounded,
      tools.workspace.take(CpuWorkspace::kTiles,
                           tile_bytes * static_cast<std::size_t>(tools.pool.threads())));
  auto* const data = reinterpret_cast<std::uint16_t*>(memory);
  const Bf16Product product(kernels, x.rows, pairs, data);
  const RowTiles& tiles = product.tiles_;
  tools.pool.run(tiles.count(), [&](std::int64_t tile, int thread) {
    auto* const mine =
        reinterpret_cast<std::uint16_t*>(rounded + static_cast<std::size_t>(thread) * tile_bytes);
    const std::int64_t first = tiles.first(tile);
    for (int r = 0; r < tiles.rows(tile); ++r) {
      std::uint16_t* const row = mine + r * 2 * stride;
      row[2 * pairs - 1] = 0;  // the padding of an odd width
      kernels.round_row(x.row(first + r), x.cols, row);
    }
    interleave(reinterpret_cast<const std::uint32_t*>(mine), stride, tiles.rows(tile), pairs,
               reinterpret_cast<std::uint32_t*>(data) + first * pairs);
  });
  return product;
}

void Bf16Product::multiply(const PackedWeight& weight, std::int64_t panel, std::byte*, float* sums,
                           const TileEpilogue& epilogue) const {
  const auto* const values = reinterpret_cast<const std::uint16_t*>(weight.panel(panel));
  constexpr std::int64_t kBlock = kBf16BlockK / 2;
  for (std::int64_t k = 0; k < pairs_; k += kBlock) {
    const std::int64_t length = std::min(kBlock, pairs_ - k);
    for (std::int64_t tile = 0; tile < tiles_.count(); ++tile) {
      const std::int64_t first = tiles_.first(tile);
      const int rows = tiles_.rows(tile);
      kernels_->tile(data_ + (first * pairs_ + k * rows) * 2, rows, values + k * kPanel * 2, length,
                     k > 0, sums + first * kPanel);
      if (k + length == pairs_) epilogue.apply(first, rows);
    }
  }
}

}  // namespace ocellus::compute::cpu
