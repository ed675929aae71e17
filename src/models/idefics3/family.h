// Idefics3, SmolVLM, SmolVLM2 (pictures) and granite-docling. Paper: arXiv:2408.12637. Reference:
// transformers, models/{idefics3,smolvlm}/.
#pragma once

#include "models/families.h"

namespace ocellus::models {

extern const Family kIdefics3;

}  // namespace ocellus::models
