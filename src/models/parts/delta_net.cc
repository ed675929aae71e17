#include "models/parts/delta_net.h"

#include <cmath>

#include "base/result.h"

namespace ocellus::models {

void add_delta_net_tensors(TableSection& layer, const DeltaNetConfig& c) {
  using enum TensorRole;
  const compute::DeltaNetShape& s = c.shape;
  const auto tiles = [&](std::int64_t unit, std::int64_t first_row, bool columns = false) {
    if (s.k_heads == s.v_heads) return;
    layer.last().gguf_tiles = {s.k_heads, s.v_heads, unit, first_row, columns};
  };
  layer.linear("linear_attn.in_proj_qkv", "attn_qkv", s.channels(), c.hidden_size, kLayerMatrix,
               false);
  tiles(s.v_dim, 2 * s.k_size());
  layer.linear("linear_attn.in_proj_z", "attn_gate", s.v_size(), c.hidden_size, kLayerMatrix,
               false);
  tiles(s.v_dim, 0);
  layer.linear("linear_attn.in_proj_b", "ssm_beta", s.v_heads, c.hidden_size, kLayerMatrix, false);
  tiles(1, 0);
  layer.linear("linear_attn.in_proj_a", "ssm_alpha", s.v_heads, c.hidden_size, kLayerMatrix, false);
  tiles(1, 0);
  // A dimension of 1 between the two, which GGUF files leave out.
  layer.add("linear_attn.conv1d.weight", "ssm_conv1d.weight", {s.channels(), s.kernel}, kVector);
  tiles(s.v_dim, 2 * s.k_size());
  layer.add("linear_attn.dt_bias", "ssm_dt.bias", {s.v_heads}, kVector);
  tiles(1, 0);
  layer.add("linear_attn.A_log", "ssm_a", {s.v_heads}, kVector);
  layer.last().gguf_values = GgufValues::kNegativeExp;
  tiles(1, 0);
  layer.norm("linear_attn.norm", "ssm_norm", s.v_dim, false);
  layer.linear("linear_attn.out_proj", "ssm_out", c.hidden_size, s.v_size(), kLayerMatrix, false);
  tiles(s.v_dim, 0, true);
}

Result<DeltaNet> DeltaNet::load(const DeltaNetConfig& config, const WeightLoader& loader,
                                const std::string& layer) {
  DeltaNet net;
  const compute::DeltaNetShape& s = net.shape_ = config.shape;
  const std::string name = layer + "linear_attn.";
  OCELLUS_ASSIGN_OR_RETURN(net.qkv_, loader.linear(name + "in_proj_qkv"));
  OCELLUS_ASSIGN_OR_RETURN(net.gate_, loader.linear(name + "in_proj_z"));
  OCELLUS_ASSIGN_OR_RETURN(net.b_, loader.linear(name + "in_proj_b"));
  OCELLUS_ASSIGN_OR_RETURN(net.a_, loader.linear(name + "in_proj_a"));
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<float> kernel, loader.vector(name + "conv1d.weight"));
  OCELLUS_ASSIGN_OR_RETURN(net.decay_bias_, loader.vector(name + "dt_bias"));
  OCELLUS_ASSIGN_OR_RETURN(net.decay_, loader.vector(name + "A_log"));
  OCELLUS_ASSIGN_OR_RETURN(const Norm norm, loader.norm(name + "norm"));
  OCELLUS_ASSIGN_OR_RETURN(net.out_, loader.linear(name + "out_proj"));
  net.norm_ = norm.weight;
  if (!config.gguf)
    for (float& decay : net.decay_) decay = -std::exp(decay);
  // Token by token, each all channels.
  net.convolution_.resize(kernel.size());
  const auto taps = static_cast<std::size_t>(s.kernel), channels = kernel.size() / taps;
  for (std::size_t i = 0; i < kernel.size(); ++i)
    net.convolution_[i % taps * channels + i / taps] = kernel[i];
  const auto dim = static_cast<float>(s.k_dim);
  net.query_norm_.assign(static_cast<std::size_t>(s.k_dim), 1 / dim);
  net.key_norm_.assign(static_cast<std::size_t>(s.k_dim), 1 / std::sqrt(dim));
  return net;
}

Result<compute::Matrix> DeltaNet::run(const compute::Backend& backend, compute::ConstMatrix x,
                                      std::int64_t decode_rows, std::span<const StepRows> sequences,
                                      std::int64_t state_at, MatrixBuffer& buffer,
                                      compute::Workspace& workspace) const {
  const compute::DeltaNetShape& s = shape_;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix all,
                           buffer.shape(x.rows, s.channels() + 2 * s.v_size() + 2 * s.v_heads));
  std::int64_t used = 0;
  const auto next = [&](std::int64_t cols) {
    return all.slice_cols(std::exchange(used, used + cols), cols);
  };
  const compute::Matrix qkv = next(s.channels()), gate = next(s.v_size()), out = next(s.v_size()),
                        a = next(s.v_heads), b = next(s.v_heads);
  const compute::LinearCall projections[] = {qkv_.call(qkv), gate_.call(gate), a_.call(a),
                                             b_.call(b)};
  OCELLUS_RETURN_IF_ERROR(backend.linear(x, decode_rows, projections, workspace));
  std::vector<compute::StateRows> states;
  for (const StepRows& rows : sequences) {
    states.push_back({rows.cache.first_row, rows.cache.rows,
                      reinterpret_cast<float*>(rows.state.data()) + state_at});
  }
  OCELLUS_RETURN_IF_ERROR(backend.gated_delta_net({.shape = s,
                                                   .weights = {.convolution = convolution_.data(),
                                                               .decay = decay_.data(),
                                                               .decay_bias = decay_bias_.data(),
                                                               .norm = norm_.data(),
                                                               .query_norm = query_norm_.data(),
                                                               .key_norm = key_norm_.data()},
                                                   .sequences = states,
                                                   .qkv = qkv,
                                                   .a = a,
                                                   .b = b,
                                                   .gate = gate,
                                                   .out = out}));
  return out;
}

}  // namespace ocellus::models
