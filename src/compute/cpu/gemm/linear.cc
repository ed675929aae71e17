#include "compute/cpu/gemm/linear.h"

#include <algorithm>
#include <vector>

#include "base/result.h"
#include "compute/cpu/gemm/panel_epilogue.h"
#include "compute/cpu/pool/row_tiles.h"

namespace ocellus::compute::cpu {
namespace {

// Rows that a panel is multiplied with at a time: a prompt with a picture, so that weights are
// requantised once. Their sums (1032 x 32 f32 = 129 KiB) stay in the L2.
constexpr std::int64_t kRowsAtOnce = 1032;
static_assert(kRowsAtOnce % kMaxTileRows == 0);

const PackedWeight& packed(const Weight* weight) {
  return *static_cast<const PackedWeight*>(weight);
}

// Panels of a gated layer that one task takes, those of the gate first: one stream is read faster
// than two alternately. Their sums stay in the L1, and every thread has several tasks.
std::int64_t panels_of_task(const LinearCall& call, std::int64_t rows, int threads) {
  if (call.gate == nullptr) return 1;
  constexpr std::int64_t kMaxSums = 4096, kTasksOfThread = 8;
  const std::int64_t max = std::min(kMaxSums / (rows * kPanel),
                                    packed(call.weight).panels() / (threads * kTasksOfThread));
  return std::max<std::int64_t>(max, 1);
}

// Rows [first, first + rows) through the calls, all of which are of one product.
template <typename Product>
Status run_block(const ProductTools& tools, ConstMatrix x, std::int64_t first, std::int64_t rows,
                 std::span<const LinearCall* const> calls) {
  OCELLUS_ASSIGN_OR_RETURN(const Product product,
                           Product::prepare(tools, x.slice_rows(first, rows)));
  std::int64_t tasks = 0, max_gates = 0;
  for (const LinearCall* call : calls) {
    const std::int64_t each = panels_of_task(*call, rows, tools.pool.threads());
    tasks += divide_up(packed(call->weight).panels(), each);
    if (call->gate != nullptr) max_gates = std::max(max_gates, each);
  }
  const std::int64_t panel_sums = rows * kPanel;
  const std::size_t sums_bytes = static_cast<std::size_t>(panel_sums) * sizeof(float);
  const std::size_t scratch_bytes = (product.scratch_bytes() + 63) / 64 * 64;
  const std::size_t each_bytes =
      scratch_bytes + static_cast<std::size_t>(1 + max_gates) * sums_bytes;
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const memory,
      tools.workspace.take(CpuWorkspace::kTiles,
                           each_bytes * static_cast<std::size_t>(tools.pool.threads())));
  tools.pool.run(tasks, [&](std::int64_t task, int thread) {
    std::byte* const scratch = memory + each_bytes * static_cast<std::size_t>(thread);
    auto* const sums = reinterpret_cast<float*>(scratch + scratch_bytes);
    float* const gates = sums + panel_sums;
    for (const LinearCall* call : calls) {
      const std::int64_t panels = packed(call->weight).panels();
      const std::int64_t each = panels_of_task(*call, rows, tools.pool.threads());
      if (const std::int64_t count = divide_up(panels, each); task >= count) {
        task -= count;
        continue;
      }
      const std::int64_t begin = task * each, end = std::min(begin + each, panels);
      if (call->gate != nullptr) {
        for (std::int64_t panel = begin; panel < end; ++panel) {
          product.multiply(packed(call->gate), panel, scratch, gates + (panel - begin) * panel_sums,
                           NoEpilogue());
        }
      }
      for (std::int64_t panel = begin; panel < end; ++panel) {
        const float* const gate =
            call->gate == nullptr ? nullptr : gates + (panel - begin) * panel_sums;
        product.multiply(packed(call->weight), panel, scratch, sums,
                         PanelEpilogue({.kernels = *tools.kernels.f32,
                                        .call = *call,
                                        .panel = panel,
                                        .first_row = first,
                                        .rows = rows,
                                        .sums = sums,
                                        .gates = gate}));
      }
      return;
    }
  });
  return {};
}

template <typename Product>
Status run_rows(const ProductTools& tools, ConstMatrix x, std::int64_t first, std::int64_t last,
                std::span<const LinearCall* const> calls) {
  for (std::int64_t row = first; row < last; row += kRowsAtOnce) {
    OCELLUS_RETURN_IF_ERROR(
        run_block<Product>(tools, x, row, std::min(kRowsAtOnce, last - row), calls));
  }
  return {};
}

// A gate whose layout is not its layer's: two products, then the gated epilogue.
Status gate_apart(const ProductTools& tools, ConstMatrix x, std::int64_t decode_rows,
                  const LinearCall& call) {
  const std::int64_t outs = call.weight->out();
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const memory,
      tools.workspace.take(CpuWorkspace::kGate,
                           static_cast<std::size_t>(x.rows * outs) * sizeof(float)));
  const Matrix gate{reinterpret_cast<float*>(memory), x.rows, outs, outs};
  const LinearCall apart[] = {
      {.weight = call.weight, .epilogue = {.bias = call.epilogue.bias}, .y = call.y},
      {.weight = call.gate, .epilogue = {.bias = call.gate_bias}, .y = gate}};
  OCELLUS_RETURN_IF_ERROR(linear(tools, x, decode_rows, apart));
  tools.pool.run(x.rows, [&](std::int64_t row, int) {
    // The epilogue reads whole panels.
    alignas(64) float gates[kPanel] = {}, sums[kPanel] = {};
    for (std::int64_t from = 0; from < outs; from += kPanel) {
      const std::int64_t n = std::min<std::int64_t>(kPanel, outs - from);
      float* const y = call.y.row(row) + from;
      std::copy_n(gate.row(row) + from, n, gates);
      std::copy_n(y, n, sums);
      tools.kernels.f32->gated_epilogue(call.epilogue.activation,
                                        {.c = sums,
                                         .rows = 1,
                                         .bias = nullptr,
                                         .residual = nullptr,
                                         .residual_stride = 0,
                                         .n = static_cast<int>(n),
                                         .y = y,
                                         .y_stride = 0},
                                        gates, nullptr);
    }
  });
  return {};
}

bool is_apart(const LinearCall& call) {
  return call.gate != nullptr && packed(call.gate).layout() != packed(call.weight).layout();
}

}  // namespace

Status linear(const ProductTools& tools, ConstMatrix x, std::int64_t decode_rows,
              std::span<const LinearCall> calls) {
  for (const LinearCall& call : calls)
    if (is_apart(call)) OCELLUS_RETURN_IF_ERROR(gate_apart(tools, x, decode_rows, call));
  for (const PanelLayout layout :
       {PanelLayout::kFloat, PanelLayout::kBf16Pairs, PanelLayout::kQuant}) {
    std::vector<const LinearCall*> same;
    for (const LinearCall& call : calls)
      if (packed(call.weight).layout() == layout && !is_apart(call)) same.push_back(&call);
    if (same.empty()) continue;
    if (layout == PanelLayout::kFloat) {
      OCELLUS_RETURN_IF_ERROR(run_rows<FloatProduct>(tools, x, 0, x.rows, same));
    } else if (layout == PanelLayout::kBf16Pairs) {
      OCELLUS_RETURN_IF_ERROR(run_rows<Bf16Product>(tools, x, 0, x.rows, same));
    } else {
      OCELLUS_RETURN_IF_ERROR(run_rows<Int8DecodeProduct>(tools, x, 0, decode_rows, same));
      OCELLUS_RETURN_IF_ERROR(run_rows<Int8PrefillProduct>(tools, x, decode_rows, x.rows, same));
    }
  }
  return {};
}

}  // namespace ocellus::compute::cpu
