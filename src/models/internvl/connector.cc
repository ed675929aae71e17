#include "models/internvl/connector.h"

#include "base/result.h"
#include "models/parts/pixel_shuffle.h"

namespace ocellus::models {
namespace {

constexpr float kEps = 1e-5f;  // torch's own

class InternVlConnector final : public Connector {
 public:
  InternVlConnector(const InternVlConfig& config, Norm norm, Linear first, Linear second)
      : side_(config.tower.image_size / config.tower.patch_size),
        shuffle_(config.shuffle),
        activation_(config.activation),
        norm_(std::move(norm)),
        first_(std::move(first)),
        second_(std::move(second)) {}

  std::int64_t rows_of(std::int64_t feature_rows) const override {
    return feature_rows / (shuffle_ * shuffle_);
  }

  Status project(const compute::Backend& backend, tensor::ConstMatrix features, Scratch& scratch,
                 compute::Workspace& workspace, tensor::Matrix rows) const override {
    OCELLUS_ASSIGN_OR_RETURN(const tensor::Matrix shuffled,
                             scratch.first.shape(rows.rows, features.cols * shuffle_ * shuffle_));
    OCELLUS_ASSIGN_OR_RETURN(const tensor::Matrix inner,
                             scratch.second.shape(rows.rows, rows.cols));
    pixel_shuffle(features, side_, shuffle_, shuffled);
    OCELLUS_RETURN_IF_ERROR(
        backend.layer_norm(shuffled, norm_.weight.data(), norm_.bias.data(), kEps, shuffled));
    OCELLUS_RETURN_IF_ERROR(
        backend.linear(*first_.weight, shuffled, first_.epilogue(activation_), inner, workspace));
    return backend.linear(*second_.weight, inner, second_.epilogue(), rows, workspace);
  }

 private:
  std::int64_t side_, shuffle_;
  compute::Activation activation_;
  Norm norm_;
  Linear first_, second_;
};

}  // namespace

void add_internvl_connector_tensors(TensorTable& table, const InternVlConfig& c) {
  const std::int64_t in = c.tower.hidden_size * c.shuffle * c.shuffle, out = c.language.hidden_size;
  TableSection section(table, Part::kProjector, "projector.", "mm.");
  section.norm("layer_norm", "0", in, true);
  section.linear("linear_1", "1", out, in, TensorRole::kProjector, true);
  section.linear("linear_2", "3", out, out, TensorRole::kProjector, true);
}

Result<std::unique_ptr<const Connector>> load_internvl_connector(const InternVlConfig& config,
                                                                 const WeightLoader& loader) {
  OCELLUS_ASSIGN_OR_RETURN(Norm norm, loader.norm("projector.layer_norm"));
  OCELLUS_ASSIGN_OR_RETURN(Linear first, loader.linear("projector.linear_1"));
  OCELLUS_ASSIGN_OR_RETURN(Linear second, loader.linear("projector.linear_2"));
  return std::make_unique<const InternVlConnector>(config, std::move(norm), std::move(first),
                                                   std::move(second));
}

}  // namespace ocellus::models
