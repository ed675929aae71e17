#include "models/llava/preprocess.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::models {

Result<image::PreprocessSettings> llava_preprocess_settings(const LlavaConfig& config,
                                                            Preprocess requested) {
  image::PreprocessSettings settings = config.images;
  if (requested != Preprocess::kModel) settings.pad_to_square = requested == Preprocess::kPad;
  const int side = static_cast<int>(config.tower.image_size);
  const image::Size square{side, side};
  const bool fits =
      settings.do_center_crop ? settings.crop == square : settings.resize_to == square;
  if (fits) return settings;
  return base::make_error(ErrorCode::kBadModel,
                          "the image processor's size: expected the tower's {} x {} pixels, found "
                          "another",
                          side, side);
}

Result<ImageFacts> llava_image_facts(const LlavaConfig& config, image::Size size,
                                     Preprocess requested) {
  OCELLUS_ASSIGN_OR_RETURN(const image::PreprocessSettings settings,
                           llava_preprocess_settings(config, requested));
  ImageFacts facts;
  if (settings.pad_to_square) size.height = size.width = std::max(size.height, size.width);
  OCELLUS_ASSIGN_OR_RETURN(facts.resized, image::resized_size(size, settings));
  facts.fit = settings.pad_to_square ? "pad" : settings.do_center_crop ? "crop" : "exact";
  facts.seen.height = facts.seen.width = static_cast<int>(config.tower.image_size);
  facts.rows = config.image_rows();
  return facts;
}

}  // namespace ocellus::models
