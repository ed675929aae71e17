// The tensors of a LLaVA model.
#pragma once

#include "models/llava/config.h"
#include "models/tensor_table.h"

namespace ocellus::models {

// Every tensor that a checkpoint of this configuration has, in the order of GGUF files.
TensorTable llava_tensors(const LlavaConfig& config);

}  // namespace ocellus::models
