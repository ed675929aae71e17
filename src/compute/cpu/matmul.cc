#include "compute/cpu/matmul.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::compute::cpu {
namespace {

// Rows that a panel is multiplied with at a time: their partial sums (512 x 32 f32 = 64 KiB) stay
// in the L2.
constexpr std::int64_t kRowsAtOnce = 512 / kMaxTileRows * kMaxTileRows;

// Activations in the order of the tiles: [tile][k][rows of the tile], so that a tile's product
// reads them forwards.
using PackedRows = PackedWeight::Rows;

void pack_tile(ConstMatrix x, std::int64_t tile, const PackedRows& packed, float* to) {
  const int rows = packed.rows_of(tile);
  to += tile * packed.tile_rows * packed.depth;
  for (int r = 0; r < rows; ++r) {
    const float* from = x.row(tile * packed.tile_rows + r);
    for (std::int64_t k = 0; k < packed.depth; ++k) to[k * rows + r] = from[k];
  }
}

}  // namespace

Status matmul(const Kernels& kernels, ThreadPool& pool, const PackedWeight& weight, ConstMatrix x,
              const MatmulEpilogue& epilogue, Matrix y, CpuWorkspace& workspace) {
  const std::int64_t depth = weight.in();
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const packed_memory,
      workspace.take(
          CpuWorkspace::kActivations,
          static_cast<std::size_t>(std::min(x.rows, kRowsAtOnce) * depth) * sizeof(float)));
  // For each thread: one block of weights as f32, and the sums of one panel.
  constexpr std::size_t kPerThread =
      static_cast<std::size_t>(kBlockK + kRowsAtOnce) * kPanel * sizeof(float);
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const tile_memory,
      workspace.take(CpuWorkspace::kTiles, kPerThread * static_cast<std::size_t>(pool.threads())));
  for (std::int64_t first = 0; first < x.rows; first += kRowsAtOnce) {
    const std::int64_t rows = std::min(kRowsAtOnce, x.rows - first);
    auto* const packed_data = reinterpret_cast<float*>(packed_memory);
    const PackedRows packed{packed_data, rows, depth, kernels.tile_rows};
    const ConstMatrix part = x.slice_rows(first, rows);
    pool.run(packed.tiles(),
             [&](std::int64_t tile, int) { pack_tile(part, tile, packed, packed_data); });
    pool.run(weight.panels(), [&](std::int64_t panel, int thread) {
      auto* const expanded =
          reinterpret_cast<float*>(tile_memory + kPerThread * static_cast<std::size_t>(thread));
      float* const sums = expanded + kBlockK * kPanel;
      for (std::int64_t k = 0; k < depth; k += kBlockK) {
        const std::int64_t length = std::min<std::int64_t>(kBlockK, depth - k);
        weight.multiply(kernels, packed, panel, k, length, expanded, sums);
      }
      const std::int64_t o = panel * kPanel;
      const int outs = static_cast<int>(std::min<std::int64_t>(kPanel, weight.out() - o));
      for (std::int64_t r = 0; r < rows; ++r) {
        const float* residual =
            epilogue.residual.data == nullptr ? nullptr : epilogue.residual.row(first + r) + o;
        kernels.finish(sums + r * kPanel, epilogue.bias == nullptr ? nullptr : epilogue.bias + o,
                       epilogue.function, residual, outs, y.row(first + r) + o);
      }
    });
  }
  return {};
}

}  // namespace ocellus::compute::cpu
