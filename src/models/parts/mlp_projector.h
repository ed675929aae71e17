// The projector part: tower features to embeddings of the language model. Paper: LLaVA-1.5,
// arXiv:2310.03744.
#pragma once

#include "compute/backend.h"
#include "models/parts/matrix_buffer.h"
#include "models/parts/weight_loader.h"
#include "models/tensor_table.h"

namespace ocellus::models {

struct MlpProjectorConfig {
  std::int64_t in = 0, out = 0;  // values of a row
  compute::Activation activation = compute::Activation::kGelu;
  bool bias = true;
};

// Its tensors: "projector.linear_1. ...", "projector.linear_2. ...", by GGUF's names too.
void add_mlp_projector_tensors(TensorTable& table, const MlpProjectorConfig& config);

// linear, activation, linear. Immutable; any thread with its own buffer.
class MlpProjector {
 public:
  // Of a table with add_mlp_projector_tensors(). kBadModel, kUnsupported, kOutOfMemory, kCancelled.
  static Result<MlpProjector> load(const MlpProjectorConfig& config, const WeightLoader& loader);

  // features [rows, feature_width] -> embeddings [rows, hidden_size].
  Status project(const compute::Backend& backend, compute::ConstMatrix features,
                 MatrixBuffer& inner, compute::Workspace& workspace,
                 compute::Matrix embeddings) const;

 private:
  compute::Activation activation_ = compute::Activation::kGelu;
  Linear first_, second_;
};

}  // namespace ocellus::models
