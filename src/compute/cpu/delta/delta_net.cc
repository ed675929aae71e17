#include "compute/cpu/delta/delta_net.h"

#include <algorithm>
#include <cmath>

namespace ocellus::compute::cpu {
namespace {

constexpr std::int64_t kChannelsPerTask = 256;
constexpr std::int64_t kRowsPerTask = 8;
constexpr float kUnitEps = 1e-6f;  // of the lengths that are made 1

// Some channels of one sequence's rows, in place: from the last row on, so that each still finds
// what came before it.
void convolve(const ElementwiseKernels& kernels, const DeltaNetCall& call, const StateRows& rows,
              std::int64_t first, std::int64_t count) {
  const DeltaNetShape& s = call.shape;
  const std::int64_t past = s.kernel - 1, channels = s.channels();
  const auto input = [&](std::int64_t row) {  // row below 0: of the steps before
    return row >= 0 ? call.qkv.row(rows.first_row + row) + first
                    : rows.state + (row + past) * channels + first;
  };
  float kept[kMaxConvolution][kChannelsPerTask];
  for (std::int64_t i = 0; i < past; ++i) std::copy_n(input(rows.rows - past + i), count, kept[i]);
  for (std::int64_t row = rows.rows - 1; row >= 0; --row) {
    const float* taps[kMaxConvolution];
    for (std::int64_t i = 0; i <= past; ++i) taps[i] = input(row - past + i);
    kernels.short_convolution(taps, call.weights.convolution + first, channels, s.kernel, count,
                              call.qkv.row(rows.first_row + row) + first);
  }
  for (std::int64_t i = 0; i < past; ++i)
    std::copy_n(kept[i], count, rows.state + i * channels + first);
}

// log(1 + exp(x)), as the reference has it.
float softplus(float x) { return x > 20 ? x : std::log1p(std::exp(x)); }

// What of a row's queries, keys, a and b the states are fed with.
void prepare(const ElementwiseKernels& kernels, const DeltaNetCall& call, std::int64_t row) {
  const DeltaNetShape& s = call.shape;
  const float eps = kUnitEps / static_cast<float>(s.k_dim);
  float* const query = call.qkv.row(row);
  for (std::int64_t head = 0; head < s.k_heads; ++head) {
    float* const q = query + head * s.k_dim;
    float* const k = q + s.k_size();
    kernels.rms_norm(q, call.weights.query_norm, eps, s.k_dim, q);
    kernels.rms_norm(k, call.weights.key_norm, eps, s.k_dim, k);
  }
  float *const a = call.a.row(row), *const b = call.b.row(row);
  for (std::int64_t head = 0; head < s.v_heads; ++head) {
    a[head] =
        std::exp(call.weights.decay[head] * softplus(a[head] + call.weights.decay_bias[head]));
    b[head] = 1 / (1 + std::exp(-b[head]));
  }
}

void update(const ElementwiseKernels& kernels, const DeltaNetCall& call, const StateRows& rows,
            std::int64_t head, std::int64_t column) {
  const DeltaNetShape& s = call.shape;
  const std::int64_t row = rows.first_row;
  float* const state = rows.state + s.history_values() + head * s.k_dim * s.v_dim + column;
  const float* const q = call.qkv.row(row) + s.key_head(head) * s.k_dim;
  kernels.delta_rule({.rows = rows.rows,
                      .k_dim = s.k_dim,
                      .columns = std::min(kDeltaColumns, s.v_dim - column),
                      .q = q,
                      .k = q + s.k_size(),
                      .v = call.qkv.row(row) + 2 * s.k_size() + head * s.v_dim + column,
                      .stride = call.qkv.stride,
                      .decay = call.a.row(row) + head,
                      .weight = call.b.row(row) + head,
                      .gate_stride = call.a.stride,
                      .state = state,
                      .state_stride = s.v_dim,
                      .out = call.out.row(row) + head * s.v_dim + column,
                      .out_stride = call.out.stride});
}

void finish(const ElementwiseKernels& kernels, const DeltaNetCall& call, std::int64_t row) {
  const DeltaNetShape& s = call.shape;
  float* const out = call.out.row(row);
  for (std::int64_t head = 0; head < s.v_heads; ++head) {
    float* const x = out + head * s.v_dim;
    kernels.rms_norm(x, call.weights.norm, s.eps, s.v_dim, x);
  }
  kernels.gate(out, call.gate.row(row), s.v_size(), true);
}

}  // namespace

void gated_delta_net(const ElementwiseKernels& kernels, ThreadPool& pool,
                     const DeltaNetCall& call) {
  const DeltaNetShape& s = call.shape;
  const auto each_row = [&](const auto& body) {
    pool.run((call.out.rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::int64_t task, int) {
      const std::int64_t last = std::min(call.out.rows, (task + 1) * kRowsPerTask);
      for (std::int64_t row = task * kRowsPerTask; row < last; ++row) body(kernels, call, row);
    });
  };
  pool.run((s.channels() + kChannelsPerTask - 1) / kChannelsPerTask, [&](std::int64_t task, int) {
    const std::int64_t first = task * kChannelsPerTask;
    const std::int64_t count = std::min(kChannelsPerTask, s.channels() - first);
    for (const StateRows& rows : call.sequences) convolve(kernels, call, rows, first, count);
  });
  each_row(prepare);
  const std::int64_t strips = (s.v_dim + kDeltaColumns - 1) / kDeltaColumns;
  const std::int64_t tasks = s.v_heads * strips;
  pool.run(std::ssize(call.sequences) * tasks, [&](std::int64_t task, int) {
    const std::int64_t strip = task % tasks;
    update(kernels, call, call.sequences[static_cast<std::size_t>(task / tasks)], strip / strips,
           strip % strips * kDeltaColumns);
  });
  each_row(finish);
}

}  // namespace ocellus::compute::cpu
