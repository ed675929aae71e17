#include "models/llava_onevision/family.h"

#include "models/llava_onevision/random.h"
#include "models/parts/anyres_description.h"

namespace ocellus::models {
namespace {

constexpr std::string_view kModelTypes[] = {"llava_onevision"};
constexpr std::string_view kProjectorTypes[] = {"mlp"};

// One to six tiles down and across.
std::vector<image::Size> grids() {
  constexpr int kMost = 6, kTile = 384;
  std::vector<image::Size> all;
  for (int down = 1; down <= kMost; ++down)
    for (int across = 1; across <= kMost; ++across) all.push_back({down * kTile, across * kTile});
  return all;
}

}  // namespace

const AnyresDefaults& llava_onevision_defaults() {
  static const AnyresDefaults defaults = {.family = "llava_onevision",
                                          .config = {.tower = "siglip_vision_model",
                                                     .language = "qwen2",
                                                     .feature_layer = -1,
                                                     .feature_select = "full",
                                                     .image_token = 151646},
                                          .grids = grids(),
                                          .averaged_above = 9,
                                          .single_in_conversation = true};
  return defaults;
}

constinit const Family kLlavaOnevision = {
    .name = "llava_onevision",
    .model_types = kModelTypes,
    .projector_types = kProjectorTypes,
    .is_gguf = is_averaged_anyres_gguf,
    .describe = [](const Checkpoint& c) { return describe_anyres(c, llava_onevision_defaults()); },
    .random_models = llava_onevision_random_models};

}  // namespace ocellus::models
