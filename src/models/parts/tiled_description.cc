#include "models/parts/tiled_description.h"

#include "base/result.h"

namespace ocellus::models {

TiledDescription::TiledDescription(const TiledConfig& config, std::int64_t max_rows,
                                   ModelTensors tensors)
    : ComposedDescription(config,
                          {.name = config.tower.name,
                           .layers = config.tower.layers,
                           .hidden_size = config.tower.hidden_size,
                           .heads = config.tower.heads,
                           .patch_size = config.tower.patch_size,
                           .image_size = config.tower.image_size},
                          max_rows, std::move(tensors)),
      config_(&config) {}

Result<std::unique_ptr<const Tiling>> TiledDescription::tiling(
    const PictureOptions& options) const {
  auto made = make_tiling(options);
  if (!made) return base::with_context(std::move(made).error(), path());
  return made;
}

Result<ImageFacts> TiledDescription::image_facts(image::Size size,
                                                 const PictureOptions& options) const {
  OCELLUS_ASSIGN_OR_RETURN(const auto made, tiling(options));
  return made->facts(size);
}

Result<std::vector<image::Image>> TiledDescription::tower_inputs(
    const image::Image& picture, const PictureOptions& options) const {
  OCELLUS_ASSIGN_OR_RETURN(const auto made, tiling(options));
  return made->cut(picture, ImageUse::kAlone);
}

Result<std::unique_ptr<const Pictures>> TiledDescription::load_pictures(
    const PictureOptions& options, const WeightLoader& loader) const {
  OCELLUS_ASSIGN_OR_RETURN(auto made, tiling(options));
  return TiledPictures::load(
      *config_, std::move(made),
      [this](const WeightLoader& weights) { return load_connector(weights); }, loader);
}

}  // namespace ocellus::models
