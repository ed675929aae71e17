// From an image to what LLaVA's tower takes of it.
#pragma once

#include "models/llava/config.h"
#include "models/parts/tiling.h"

namespace ocellus::models {

// One input, the tower's square: the settings that the checkpoint asks for, with the caller's
// choice for images that are not square. kBadModel when they do not give what the tower takes;
// kInvalidArgument for a budget, of which this family has none.
Result<std::unique_ptr<const Tiling>> make_llava_tiling(const LlavaConfig& config,
                                                        const PictureOptions& options);

}  // namespace ocellus::models
