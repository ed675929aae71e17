#include "compute/cpu/gemm/read_row.h"

#include <algorithm>
#include <cstring>

#include "compute/cpu/quant/quant_panel.h"

namespace ocellus::compute::cpu {
namespace {

void read_quant_row(const Int8Kernels& kernels, const PackedWeight& weight, std::int64_t panel,
                    std::int64_t inside, float* out) {
  alignas(64) float values[kBlockK * kPanel];
  const std::byte* from = weight.panel(panel);
  for (std::int64_t k = 0; k < weight.in(); k += kBlockK, from += weight.chunk_bytes()) {
    const std::int64_t held = std::min<std::int64_t>(kBlockK, weight.padded_in() - k);
    kernels.expand(quant_chunk(weight.dtype(), from, held), values);
    const std::int64_t length = std::min<std::int64_t>(kBlockK, weight.in() - k);
    for (std::int64_t i = 0; i < length; ++i) out[k + i] = values[i * kPanel + inside];
  }
}

}  // namespace

void read_row(const GemmTables& kernels, const PackedWeight& weight, std::int64_t o, float* out) {
  const std::int64_t number = o / kPanel, inside = o % kPanel;
  if (weight.layout() == PanelLayout::kQuant)
    return read_quant_row(*kernels.int8, weight, number, inside, out);
  const std::byte* const panel = weight.panel(number);
  const std::int64_t pair = weight.layout() == PanelLayout::kBf16Pairs ? 2 : 1;
  for (std::int64_t k = 0; k < weight.in(); ++k) {
    const std::int64_t at = (k / pair * kPanel + inside) * pair + k % pair;
    if (weight.dtype() == DType::kF32) {
      std::memcpy(out + k, panel + at * 4, sizeof(float));
      continue;
    }
    std::uint16_t bits;
    std::memcpy(&bits, panel + at * 2, sizeof(bits));
    out[k] = weight.dtype() == DType::kF16 ? tensor::f16_to_f32(bits) : tensor::bf16_to_f32(bits);
  }
}

}  // namespace ocellus::compute::cpu
