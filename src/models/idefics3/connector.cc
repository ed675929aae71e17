#include "models/idefics3/connector.h"

#include "base/result.h"
#include "models/parts/pixel_shuffle.h"

namespace ocellus::models {
namespace {

class Idefics3Connector final : public Connector {
 public:
  Idefics3Connector(std::int64_t side, std::int64_t shuffle, Linear projection)
      : side_(side), shuffle_(shuffle), projection_(std::move(projection)) {}

  std::int64_t rows_of(std::int64_t feature_rows) const override {
    return feature_rows / (shuffle_ * shuffle_);
  }

  Status project(const compute::Backend& backend, tensor::ConstMatrix features, Scratch& scratch,
                 compute::Workspace& workspace, tensor::Matrix rows) const override {
    OCELLUS_ASSIGN_OR_RETURN(const tensor::Matrix shuffled,
                             scratch.first.shape(rows.rows, features.cols * shuffle_ * shuffle_));
    pixel_shuffle(features, side_, shuffle_, shuffled);
    return backend.linear(*projection_.weight, shuffled, projection_.epilogue(), rows, workspace);
  }

 private:
  std::int64_t side_, shuffle_;
  Linear projection_;
};

}  // namespace

void add_idefics3_connector_tensors(TensorTable& table, const Idefics3Config& c) {
  TableSection(table, Part::kProjector, "projector.", "mm.model.")
      .linear("proj", "fc", c.language.hidden_size, c.tower.hidden_size * c.shuffle * c.shuffle,
              TensorRole::kProjector, false);
}

Result<std::unique_ptr<const Connector>> load_idefics3_connector(const Idefics3Config& config,
                                                                 const WeightLoader& loader) {
  OCELLUS_ASSIGN_OR_RETURN(Linear projection, loader.linear("projector.proj"));
  return std::make_unique<const Idefics3Connector>(
      config.tower.image_size / config.tower.patch_size, config.shuffle, std::move(projection));
}

}  // namespace ocellus::models
