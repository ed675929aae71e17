#include "models/llava/prompt.h"

namespace ocellus::models {

ImagePlan llava_image_plan(const LlavaConfig& config) {
  ImagePlan plan;
  plan.inputs = {{config.tower.image_size, config.tower.image_size}};
  plan.layout = {{.rows = config.image_rows()}};
  return plan;
}

}  // namespace ocellus::models
