// What an image becomes in LLaVA's prompt.
#pragma once

#include "models/llava/config.h"
#include "models/prepared_image.h"

namespace ocellus::models {

// Its rows alone, whatever its size: the template writes the text around them.
ImagePlan llava_image_plan(const LlavaConfig& config);

}  // namespace ocellus::models
