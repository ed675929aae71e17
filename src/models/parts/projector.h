// The bridge: tower features to embeddings of the language model. Paper: LLaVA-1.5,
// arXiv:2310.03744.
#pragma once

#include "compute/backend.h"
#include "formats/model_config.h"
#include "models/parts/weight_loader.h"

namespace ocellus::models {

// linear, activation, linear. Immutable; any thread with its own scratch.
class Projector {
 public:
  static Result<Projector> load(const formats::ModelConfig& config, std::int64_t feature_width,
                                const WeightLoader& loader);

  // features [rows, feature_width] -> embeddings [rows, hidden_size].
  Status project(const compute::Backend& backend, compute::ConstMatrix features,
                 MatrixBuffer& inner, compute::Workspace& workspace,
                 compute::Matrix embeddings) const;

 private:
  compute::Activation activation_ = compute::Activation::kGelu;
  Linear first_, second_;
};

}  // namespace ocellus::models
