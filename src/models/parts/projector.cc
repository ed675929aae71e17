#include "models/parts/projector.h"

#include "base/result.h"

namespace ocellus::models {

Result<Projector> Projector::load(const formats::ModelConfig& config, std::int64_t feature_width,
                                  const WeightLoader& loader) {
  const std::int64_t hidden = config.language.hidden_size;
  Projector projector;
  projector.activation_ = config.projector.activation;
  OCELLUS_ASSIGN_OR_RETURN(projector.first_, loader.linear("projector.linear_1", hidden,
                                                           feature_width, config.projector.bias));
  OCELLUS_ASSIGN_OR_RETURN(projector.second_, loader.linear("projector.linear_2", hidden, hidden,
                                                            config.projector.bias));
  return projector;
}

Status Projector::project(const compute::Backend& backend, compute::ConstMatrix features,
                          MatrixBuffer& inner, compute::Workspace& workspace,
                          compute::Matrix embeddings) const {
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix middle,
                           inner.shape(features.rows, embeddings.cols));
  OCELLUS_RETURN_IF_ERROR(
      backend.linear(*first_.weight, features, first_.epilogue(activation_), middle, workspace));
  return backend.linear(*second_.weight, middle, second_.epilogue(), embeddings, workspace);
}

}  // namespace ocellus::models
