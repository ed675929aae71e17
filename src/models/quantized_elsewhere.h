// Checkpoints that another tool has quantised in a format of its own.
#pragma once

#include "models/checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::models {

// kUnsupported naming the format and what to fetch instead, when config.json or the tensors' names
// say that weights are not plain numbers. Of a Hugging Face folder.
Status refuse_quantized_elsewhere(const Checkpoint& checkpoint);

}  // namespace ocellus::models
