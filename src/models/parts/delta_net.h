// The layers of a decoder that keep a state in place of keys and values: gated delta nets.
// Reference: transformers, models/qwen3_5/modeling_qwen3_5.py, Qwen3_5GatedDeltaNet.
#pragma once

#include <string>
#include <vector>

#include "compute/backend.h"
#include "models/language_model.h"
#include "models/parts/matrix_buffer.h"
#include "models/parts/weight_loader.h"
#include "models/tensor_table.h"

namespace ocellus::models {

struct DeltaNetConfig {
  compute::DeltaNetShape shape;
  std::int64_t hidden_size = 0;
  bool gguf = false;  // the decay is stored as it is used, not as a logarithm
};

// Its tensors: "linear_attn. ..." of a layer.
void add_delta_net_tensors(TableSection& layer, const DeltaNetConfig& config);

// Immutable after loading; any thread.
class DeltaNet {
 public:
  // `layer`: what the layer's names begin with. Errors as WeightLoader's.
  static Result<DeltaNet> load(const DeltaNetConfig& config, const WeightLoader& loader,
                               const std::string& layer);

  // x [rows, hidden_size], a normed hidden state, to what `out()` takes, [rows, v_size], in memory
  // of `buffer`. The state of this layer begins at value `state_at` of each sequence's.
  Result<compute::Matrix> run(const compute::Backend& backend, compute::ConstMatrix x,
                              std::int64_t decode_rows, std::span<const StepRows> sequences,
                              std::int64_t state_at, MatrixBuffer& buffer,
                              compute::Workspace& workspace) const;
  const Linear& out() const { return out_; }

 private:
  compute::DeltaNetShape shape_;
  Linear qkv_, gate_, a_, b_, out_;
  std::vector<float> convolution_, decay_, decay_bias_, norm_, query_norm_, key_norm_;
};

}  // namespace ocellus::models
