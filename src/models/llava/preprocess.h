// From an image to what LLaVA's tower takes of it.
#pragma once

#include "image/preprocess.h"
#include "models/description.h"
#include "models/llava/config.h"
#include "ocellus/error.h"
#include "ocellus/options.h"

namespace ocellus::models {

// The settings that the checkpoint asks for, with the caller's choice for images that are not
// square. kBadModel when they do not give what the tower takes.
Result<image::PreprocessSettings> llava_preprocess_settings(const LlavaConfig& config,
                                                            Preprocess requested);

Result<ImageFacts> llava_image_facts(const LlavaConfig& config, image::Size size,
                                     Preprocess requested);

}  // namespace ocellus::models
