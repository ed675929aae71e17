#include "base/result.h"
#include "models/llava/model.h"

namespace ocellus::models {
namespace {

// Pillow's numbers.
image::Filter filter_of(int resample) {
  switch (resample) {
    case 0:
      return image::Filter::kNearest;
    case 1:
      return image::Filter::kLanczos;
    case 2:
      return image::Filter::kBilinear;
    case 4:
      return image::Filter::kBox;
    case 5:
      return image::Filter::kHamming;
    default:
      return image::Filter::kBicubic;
  }
}

}  // namespace

Result<image::PreprocessSettings> preprocess_settings(const formats::ImageProcessorConfig& config,
                                                      const formats::TowerConfig& tower,
                                                      Preprocess requested) {
  image::PreprocessSettings settings;
  settings.pad_to_square =
      requested == Preprocess::kPad || (requested == Preprocess::kModel && config.do_pad);
  settings.do_resize = config.do_resize;
  if (config.resize_shortest_edge > 0) {
    settings.shortest_edge = static_cast<int>(config.resize_shortest_edge);
    if (config.resize_longest_edge > 0)
      settings.longest_edge = static_cast<int>(config.resize_longest_edge);
  } else {
    settings.resize_to =
        image::Size{static_cast<int>(config.resize_height), static_cast<int>(config.resize_width)};
  }
  settings.filter = filter_of(config.resample);
  settings.do_center_crop = config.do_center_crop;
  settings.crop = {static_cast<int>(config.crop_height), static_cast<int>(config.crop_width)};
  settings.do_rescale = config.do_rescale;
  settings.rescale_factor = config.rescale_factor;
  settings.do_normalize = config.do_normalize;
  for (std::size_t i = 0; i < 3; ++i) {
    settings.mean[i] = config.mean[i];
    settings.std[i] = config.std[i];
  }
  const int side = static_cast<int>(tower.image_size);
  const image::Size square{side, side};
  const bool fits =
      settings.do_center_crop ? settings.crop == square : settings.resize_to == square;
  if (!fits) {
    return base::make_error(ErrorCode::kBadModel,
                            "the image processor's settings do not give the tower's {} x {} pixels",
                            side, side);
  }
  return settings;
}

}  // namespace ocellus::models
