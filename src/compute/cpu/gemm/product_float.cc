#include <algorithm>

#include "base/result.h"
#include "compute/cpu/gemm/product.h"

namespace ocellus::compute::cpu {

Result<FloatProduct> FloatProduct::prepare(const ProductTools& tools, ConstMatrix x) {
  const std::int64_t depth = x.cols;
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const memory,
      tools.workspace.take(CpuWorkspace::kActivations,
                           static_cast<std::size_t>(x.rows * depth) * sizeof(float)));
  auto* const data = reinterpret_cast<float*>(memory);
  const FloatProduct product(*tools.kernels.f32, x.rows, depth, data);
  const RowTiles& tiles = product.tiles_;
  tools.pool.run(tiles.count(), [&](std::int64_t tile, int) {
    const std::int64_t first = tiles.first(tile);
    interleave(x.row(first), x.stride, tiles.rows(tile), depth, data + first * depth);
  });
  return product;
}

void FloatProduct::multiply(const PackedWeight& weight, std::int64_t panel, std::byte* scratch,
                            float* sums, const TileEpilogue& epilogue) const {
  const std::byte* from = weight.panel(panel);
  for (std::int64_t k = 0; k < depth_; k += kBlockK) {
    const std::int64_t length = std::min<std::int64_t>(kBlockK, depth_ - k);
    Element held = weight.element();
    const void* data = from;
    from += static_cast<std::size_t>(length * kPanel) * tensor::block_bytes(weight.dtype());
    if (held != Element::kF32 && rows_ > kDirectRows) {
      auto* const expanded = reinterpret_cast<float*>(scratch);
      kernels_->expand(held, data, length * kPanel, expanded);
      held = Element::kF32, data = expanded;
    }
    for (std::int64_t tile = 0; tile < tiles_.count(); ++tile) {
      const std::int64_t first = tiles_.first(tile);
      kernels_->tile({.a = data_ + first * depth_ + k * tiles_.rows(tile),
                      .rows = tiles_.rows(tile),
                      .element = held,
                      .b = data,
                      .depth = length,
                      .add = k > 0,
                      .c = sums + first * kPanel});
      if (k + length == depth_) epilogue.apply(first, tiles_.rows(tile));
    }
  }
}

}  // namespace ocellus::compute::cpu
