// LLaVA-NeXT, also called LLaVA-1.6: LLaVA that sees a picture whole and, larger, in tiles.
// Reference: transformers, models/llava_next/.
#pragma once

#include "models/families.h"
#include "models/parts/anyres_config.h"

namespace ocellus::models {

extern const Family kLlavaNext;

// Of its configuration class.
const AnyresDefaults& llava_next_defaults();

}  // namespace ocellus::models
