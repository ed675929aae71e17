// LLaVA's connector: two linear layers. Paper: LLaVA-1.5, arXiv:2310.03744.
#pragma once

#include "compute/backend.h"
#include "models/parts/connector.h"
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

// linear, activation, linear. Immutable; any thread with its own scratch.
class MlpProjector : public Connector {
 public:
  // Of a table with add_mlp_projector_tensors(). kBadModel, kUnsupported, kOutOfMemory, kCancelled.
  static Result<MlpProjector> load(const MlpProjectorConfig& config, const WeightLoader& loader);

  Status project(const compute::Backend& backend, tensor::ConstMatrix features, Scratch& scratch,
                 compute::Workspace& workspace, tensor::Matrix rows) const override;

 private:
  compute::Activation activation_ = compute::Activation::kGelu;
  Linear first_, second_;
};

}  // namespace ocellus::models
