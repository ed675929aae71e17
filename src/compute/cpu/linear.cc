#include "compute/cpu/linear.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/result.h"

namespace ocellus::compute::cpu {
namespace {

// Rows that a panel is multiplied with at a time: a whole prompt with a picture, so that its
// weights are brought to 8 bits once. Their sums (1032 x 32 f32 = 129 KiB) stay in the L2.
constexpr std::int64_t kRowsAtOnce = 1032;
static_assert(kRowsAtOnce % kMaxTileRows == 0);

const PackedWeight& packed(const Weight* weight) {
  return *static_cast<const PackedWeight*>(weight);
}

// 32 outputs of all rows: bias, activation, gate, residual.
void finish(const Kernels& kernels, const LinearCall& call, std::int64_t panel, std::int64_t first,
            std::int64_t rows, float* sums, float* gates) {
  const std::int64_t o = panel * kPanel;
  const int outs = static_cast<int>(std::min<std::int64_t>(kPanel, call.weight->out() - o));
  const Epilogue& epilogue = call.epilogue;
  const Function function = function_of(epilogue.activation);
  const float* const bias = epilogue.bias == nullptr ? nullptr : epilogue.bias + o;
  float* const y = call.y.row(first) + o;
  if (gates == nullptr) {
    const bool residual = epilogue.residual.data != nullptr;
    kernels.finish(function,
                   {sums, rows, bias, residual ? epilogue.residual.row(first) + o : nullptr,
                    epilogue.residual.stride, outs, y, call.y.stride});
    return;
  }
  const float* const gate_bias = call.gate_bias == nullptr ? nullptr : call.gate_bias + o;
  kernels.finish_gated(function, {sums, rows, bias, nullptr, 0, outs, y, call.y.stride}, gates,
                       gate_bias);
}

// Rows [first, first + rows) through the calls, all of which are of one product.
template <typename Product>
Status run_block(const ProductTools& tools, ConstMatrix x, std::int64_t first, std::int64_t rows,
                 std::span<const LinearCall* const> calls) {
  OCELLUS_ASSIGN_OR_RETURN(const Product product,
                           Product::prepare(tools, x.slice_rows(first, rows)));
  const std::size_t sums_bytes = static_cast<std::size_t>(rows) * kPanel * sizeof(float);
  const std::size_t scratch_bytes = (product.scratch_bytes() + 63) / 64 * 64;
  const std::size_t each = scratch_bytes + 2 * sums_bytes;
  OCELLUS_ASSIGN_OR_RETURN(
      std::byte* const memory,
      tools.workspace.take(CpuWorkspace::kTiles,
                           each * static_cast<std::size_t>(tools.pool.threads())));
  std::int64_t tasks = 0;
  for (const LinearCall* call : calls) tasks += packed(call->weight).panels();
  tools.pool.run(tasks, [&](std::int64_t task, int thread) {
    std::size_t number = 0;
    while (task >= packed(calls[number]->weight).panels())
      task -= packed(calls[number++]->weight).panels();
    const LinearCall& call = *calls[number];
    std::byte* const scratch = memory + each * static_cast<std::size_t>(thread);
    auto* const sums = reinterpret_cast<float*>(scratch + scratch_bytes);
    float* const gates = call.gate == nullptr
                             ? nullptr
                             : reinterpret_cast<float*>(scratch + scratch_bytes + sums_bytes);
    product.multiply(packed(call.weight), task, scratch, sums);
    if (gates != nullptr) product.multiply(packed(call.gate), task, scratch, gates);
    finish(*tools.kernels.f32, call, task, first, rows, sums, gates);
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

}  // namespace

Function function_of(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return Function::kNone;
    case Activation::kGelu:
      return Function::kGelu;
    case Activation::kGeluTanh:
      return Function::kGeluTanh;
    case Activation::kQuickGelu:
      return Function::kQuickGelu;
    case Activation::kSilu:
      return Function::kSilu;
    case Activation::kRelu:
      return Function::kRelu;
  }
  return Function::kNone;
}

namespace {

// A gate that is multiplied in another way than its layer: one after the other, then together.
Status gate_apart(const ProductTools& tools, ConstMatrix x, std::int64_t generated,
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
  OCELLUS_RETURN_IF_ERROR(linear(tools, x, generated, apart));
  tools.pool.run(x.rows, [&](std::int64_t row, int) {
    tools.kernels.f32->gated(function_of(call.epilogue.activation), gate.row(row), call.y.row(row),
                             outs);
    std::memcpy(call.y.row(row), gate.row(row), static_cast<std::size_t>(outs) * sizeof(float));
  });
  return {};
}

bool is_apart(const LinearCall& call) {
  return call.gate != nullptr && packed(call.gate).layout() != packed(call.weight).layout();
}

}  // namespace

Status linear(const ProductTools& tools, ConstMatrix x, std::int64_t generated,
              std::span<const LinearCall> calls) {
  for (const LinearCall& call : calls)
    if (is_apart(call)) OCELLUS_RETURN_IF_ERROR(gate_apart(tools, x, generated, call));
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
      OCELLUS_RETURN_IF_ERROR(run_rows<Int8DecodeProduct>(tools, x, 0, generated, same));
      OCELLUS_RETURN_IF_ERROR(run_rows<Int8PromptProduct>(tools, x, generated, x.rows, same));
    }
  }
  return {};
}

}  // namespace ocellus::compute::cpu
