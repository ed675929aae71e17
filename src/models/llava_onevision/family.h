// LLaVA-OneVision: LLaVA-NeXT with SigLIP and Qwen2, up to 36 tiles whose rows are averaged down to
// nine tiles' worth; one of several pictures is seen whole only. Paper: arXiv:2408.03326.
// Reference: transformers, models/llava_onevision/.
#pragma once

#include "models/families.h"
#include "models/parts/anyres_config.h"

namespace ocellus::models {

extern const Family kLlavaOnevision;

// Of its configuration class.
const AnyresDefaults& llava_onevision_defaults();

}  // namespace ocellus::models
