// Checkpoints of LLaVA-NeXT and OneVision (anyres_config.h).
#pragma once

#include <memory>

#include "models/description.h"
#include "models/parts/anyres_config.h"

namespace ocellus::models {

// What a family's describe() does.
Result<std::unique_ptr<const ModelDescription>> describe_anyres(const Checkpoint& checkpoint,
                                                                const AnyresDefaults& defaults);

}  // namespace ocellus::models
