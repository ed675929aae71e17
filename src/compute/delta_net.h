// A gated delta net: attention whose past is one matrix for each head, that is decayed and
// corrected by every token. Paper: arXiv:2412.06464. Reference: transformers, models/qwen3_5/
// (torch_recurrent_gated_delta_rule, causal_conv1d_fn, Qwen3_5RMSNormGated).
#pragma once

#include <cstdint>
#include <span>

#include "tensor/view.h"

namespace ocellus::compute {

struct DeltaNetShape {
  std::int64_t k_heads = 0, v_heads = 0;  // queries and keys; values and states
  std::int64_t k_dim = 0, v_dim = 0;      // of a head
  std::int64_t kernel = 0;                // tokens that the convolution sees
  float eps = 0;                          // of the norm behind
  // Which key head a value head is of: neighbours share one, or (GGUF) every k_heads-th does.
  bool tiled_heads = false;

  std::int64_t k_size() const { return k_heads * k_dim; }
  std::int64_t v_size() const { return v_heads * v_dim; }
  std::int64_t channels() const { return 2 * k_size() + v_size(); }
  // f32 values of a sequence's state: the convolution's last inputs, oldest first, then [v_heads,
  // k_dim, v_dim]. All zero at the start.
  std::int64_t history_values() const { return (kernel - 1) * channels(); }
  std::int64_t state_values() const { return history_values() + v_heads * k_dim * v_dim; }
  std::int64_t key_head(std::int64_t v_head) const {
    return tiled_heads ? v_head % k_heads : v_head / (v_heads / k_heads);
  }
};

struct DeltaNetWeights {
  const float* convolution = nullptr;  // [kernel, channels], oldest token first
  const float* decay = nullptr;        // [v_heads], below 0: -exp(A_log)
  const float* decay_bias = nullptr;   // [v_heads]
  const float* norm = nullptr;         // [v_dim]
  // [k_dim] of 1 / k_dim and of its root: what makes of a norm by the mean of squares the query and
  // key of length 1, the query divided by the root of k_dim besides.
  const float *query_norm = nullptr, *key_norm = nullptr;
};

// Rows of one sequence, and its state [state_values], updated in place.
struct StateRows {
  std::int64_t first_row = 0, rows = 0;
  float* state = nullptr;
};

struct DeltaNetCall {
  DeltaNetShape shape = {};
  DeltaNetWeights weights = {};
  std::span<const StateRows> sequences = {};
  tensor::Matrix qkv = {};        // [rows, channels]: queries, keys, values; overwritten
  tensor::Matrix a = {}, b = {};  // [rows, v_heads]: decay and weight of a token; overwritten
  tensor::ConstMatrix gate = {};  // [rows, v_size]
  tensor::Matrix out = {};        // [rows, v_size]
};

}  // namespace ocellus::compute
