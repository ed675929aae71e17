// The settings of a LLaVA model.
// Reference: transformers 5, models/llava/configuration_llava.py; llama.cpp's converters.
#pragma once

#include <string_view>

#include "models/checkpoint.h"
#include "models/parts/mlp_tiled_config.h"
#include "ocellus/error.h"

namespace ocellus::models {

using LlavaConfig = MlpTiledConfig;

// config.json and what stands beside it, or the metadata of a GGUF pair. kBadModel naming file and
// key, expected and found; kUnsupported for a kind of tower, language model, activation or rope
// scaling that is not built in, and for what says llava and has its images in tiles.
Result<LlavaConfig> read_llava_config(const Checkpoint& checkpoint);

// config.json alone: images are not read.
Result<LlavaConfig> parse_llava_config(std::string_view text, std::string_view file);

}  // namespace ocellus::models
