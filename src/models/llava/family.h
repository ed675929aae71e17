// LLaVA-1.5 and its kin: a vision transformer, an MLP, a language model; one image, one square.
// Paper: arXiv:2310.03744. Reference: transformers, models/llava/.
#pragma once

#include "models/families.h"

namespace ocellus::models {

extern const Family kLlava;

}  // namespace ocellus::models
