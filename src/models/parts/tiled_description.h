// What a checkpoint says of a model whose picture is one or several tower inputs
// (tiled_pictures.h).
#pragma once

#include <memory>

#include "models/parts/composed_description.h"
#include "models/parts/tiled_pictures.h"

namespace ocellus::models {

class TiledDescription : public ComposedDescription {
 public:
  Result<ImageFacts> image_facts(image::Size size, const PictureOptions& options) const override;
  Result<std::vector<image::Image>> tower_inputs(const image::Image& picture,
                                                 const PictureOptions& options) const override;

 protected:
  TiledDescription(const TiledConfig& config, std::int64_t max_rows, ModelTensors tensors);

  // kInvalidArgument for options that the family has no way to follow; kBadModel when the image
  // processor's settings do not give what the tower takes. Errors need not name the checkpoint.
  virtual Result<std::unique_ptr<const Tiling>> make_tiling(
      const PictureOptions& options) const = 0;
  virtual Result<std::unique_ptr<const Connector>> load_connector(
      const WeightLoader& loader) const = 0;

 private:
  Result<std::unique_ptr<const Pictures>> load_pictures(const PictureOptions& options,
                                                        const WeightLoader& loader) const override;
  Result<std::unique_ptr<const Tiling>> tiling(const PictureOptions& options) const;

  const TiledConfig* config_;
};

}  // namespace ocellus::models
