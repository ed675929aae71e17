// Pictures as one or several inputs of one square size: a vision transformer and a connector.
// Families differ in their tiling and their connector.
#pragma once

#include <functional>
#include <memory>

#include "compute/backend.h"
#include "models/parts/composed_model.h"
#include "models/parts/connector.h"
#include "models/parts/tiling.h"
#include "models/parts/vision_tower.h"
#include "models/parts/weight_loader.h"

namespace ocellus::models {

struct TiledConfig : ComposedConfig {
  VitConfig tower;
  VitOutput features;             // what the connector takes of the tower
  bool gguf_ffn_swapped = false;  // add_vision_tower_tensors()

  // Of one tower input, before the connector.
  std::int64_t feature_rows() const { return tower.rows() - (features.drop_first_row ? 1 : 0); }
  std::int64_t feature_width() const {
    return tower.hidden_size * static_cast<std::int64_t>(features.layers.size());
  }
};

// Immutable after loading; any thread.
class TiledPictures final : public Pictures {
 public:
  using LoadConnector =
      std::function<Result<std::unique_ptr<const Connector>>(const WeightLoader& loader)>;

  // kBadModel, kUnsupported, kOutOfMemory, kCancelled.
  static Result<std::unique_ptr<const Pictures>> load(const TiledConfig& config,
                                                      std::unique_ptr<const Tiling> tiling,
                                                      const LoadConnector& load_connector,
                                                      const WeightLoader& loader);

  std::int64_t image_size() const override { return side_; }
  std::int64_t max_rows() const override { return tiling_->max_rows(); }
  PixelShape pixel_shape() const override { return tiling_->pixel_shape(); }
  ImageUse use(std::size_t images) const override { return tiling_->use(images); }
  Result<ImagePlan> plan(image::Size size, ImageUse use) const override {
    return tiling_->plan(size, use);
  }
  Result<PreparedImage> prepare(const image::Image& picture, ImageUse use) const override;
  std::unique_ptr<ImageEncoder> make_encoder() const override;

 private:
  class Encoder;
  TiledPictures() = default;

  const compute::Backend* backend_ = nullptr;
  std::int64_t hidden_ = 0, side_ = 0;
  std::unique_ptr<const Tiling> tiling_;
  VisionTower tower_;
  std::unique_ptr<const Connector> connector_;
};

}  // namespace ocellus::models
