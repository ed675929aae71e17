#include "models/parts/mlp_projector.h"

#include "base/result.h"

namespace ocellus::models {

void add_mlp_projector_tensors(TensorTable& table, const MlpProjectorConfig& c) {
  TableSection section(table, Part::kProjector, "projector.", "mm.");
  section.linear("linear_1", "0", c.out, c.in, TensorRole::kProjector, c.bias);
  section.linear("linear_2", "2", c.out, c.out, TensorRole::kProjector, c.bias);
}

Result<MlpProjector> MlpProjector::load(const MlpProjectorConfig& config,
                                        const WeightLoader& loader) {
  MlpProjector projector;
  projector.activation_ = config.activation;
  OCELLUS_ASSIGN_OR_RETURN(projector.first_, loader.linear("projector.linear_1"));
  OCELLUS_ASSIGN_OR_RETURN(projector.second_, loader.linear("projector.linear_2"));
  return projector;
}

Status MlpProjector::project(const compute::Backend& backend, tensor::ConstMatrix features,
                             Scratch& scratch, compute::Workspace& workspace,
                             tensor::Matrix rows) const {
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix inner,
                           scratch.first.shape(features.rows, rows.cols));
  OCELLUS_RETURN_IF_ERROR(
      backend.linear(*first_.weight, features, first_.epilogue(activation_), inner, workspace));
  return backend.linear(*second_.weight, inner, second_.epilogue(), rows, workspace);
}

}  // namespace ocellus::models
