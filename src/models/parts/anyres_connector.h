// The connector of LLaVA-NeXT and OneVision: LLaVA's, then tiles are put together, their borders
// cut off, and every line of patches is ended by a learned vector (anyres.h). Reference:
// pack_image_features of transformers 5, models/llava_{next,onevision}/.
#pragma once

#include <memory>
#include <vector>

#include "models/parts/anyres.h"
#include "models/parts/mlp_projector.h"
#include "models/parts/weight_loader.h"

namespace ocellus::models {

// Its own tensor: "image_newline", [hidden].
void add_newline_tensor(TensorTable& table, std::int64_t hidden, std::string_view gguf_name);

// Immutable; any thread with its own scratch.
class AnyresConnector final : public MlpProjector {
 public:
  // Of a table with add_mlp_projector_tensors() and add_newline_tensor(). kBadModel, kUnsupported,
  // kOutOfMemory, kCancelled.
  static Result<std::unique_ptr<const Connector>> load(const AnyresConfig& anyres,
                                                       const MlpProjectorConfig& projector,
                                                       const WeightLoader& loader);

  bool joins() const override { return true; }
  Status join(const ImagePlan& plan, tensor::ConstMatrix projected,
              tensor::Matrix rows) const override;

 private:
  AnyresConnector(MlpProjector projector, const AnyresConfig& config)
      : MlpProjector(std::move(projector)), config_(config) {}

  AnyresConfig config_;
  std::vector<float> newline_;
};

}  // namespace ocellus::models
