// A model that sees a picture as one or several inputs of one square size: a vision transformer, a
// connector and a decoder. Families differ in their tiling and their connector.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "compute/backend.h"
#include "models/description.h"
#include "models/family.h"
#include "models/load_options.h"
#include "models/model_tensors.h"
#include "models/parts/connector.h"
#include "models/parts/decoder.h"
#include "models/parts/tiling.h"
#include "models/parts/vision_tower.h"
#include "models/parts/weight_loader.h"

namespace ocellus::models {

// What all such families read of a checkpoint.
struct TiledConfig {
  std::string family;
  bool cuts = false;  // pictures into tiles
  VitConfig tower;
  VitOutput features;  // what the connector takes of the tower
  DecoderConfig language;
  ModelTokens tokens;
  // What the checkpoint leaves out and was taken from what is published, for people.
  std::vector<std::string> assumed = {};
  bool gguf_ffn_swapped = false;  // add_vision_tower_tensors()

  // Of one tower input, before the connector.
  std::int64_t feature_rows() const { return tower.rows() - (features.drop_first_row ? 1 : 0); }
  std::int64_t feature_width() const {
    return tower.hidden_size * static_cast<std::int64_t>(features.layers.size());
  }
};

// Immutable after loading; any thread.
class TiledModel final : public Model {
 public:
  using LoadConnector =
      std::function<Result<std::unique_ptr<const Connector>>(const WeightLoader& loader)>;

  // As ModelDescription::load() and pack().
  static Result<std::unique_ptr<TiledModel>> load(
      const TiledConfig& config, const ModelSummary& summary, const ModelTensors& tensors,
      std::unique_ptr<const Tiling> tiling, const LoadConnector& load_connector,
      const compute::Backend& backend, const LoadOptions& options);
  static Result<PartArithmetic> pack(const TiledConfig& config, const ModelTensors& tensors,
                                     const LoadConnector& load_connector,
                                     const compute::Backend& backend, const LoadOptions& options,
                                     WeightSink& sink);

  const ModelFacts& facts() const override { return facts_; }
  const LanguageModel& language() const override { return *decoder_; }
  ImageUse image_use(std::size_t images) const override { return tiling_->use(images); }
  Result<ImagePlan> plan_image(image::Size size, ImageUse use) const override {
    return tiling_->plan(size, use);
  }
  Result<PreparedImage> prepare_image(const image::Image& picture, ImageUse use) const override;
  std::unique_ptr<ImageEncoder> make_encoder() const override;

 private:
  class Encoder;
  explicit TiledModel(const compute::Backend& backend) : backend_(&backend) {}
  Status load_parts(const TiledConfig& config, const ModelTensors& tensors,
                    const LoadConnector& load_connector, const PartArithmetic& arithmetic,
                    const LoadOptions& options, WeightSink* sink);

  const compute::Backend* backend_;
  ModelFacts facts_;
  std::unique_ptr<const Tiling> tiling_;
  VisionTower tower_;
  std::unique_ptr<const Connector> connector_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace ocellus::models
