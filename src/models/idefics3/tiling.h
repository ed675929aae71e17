// Pictures as Idefics3 and SmolVLM see them: brought to a longest edge, cut into tiles row by row
// with their places named in the text between, and seen whole at last.
// Reference: Idefics3ImageProcessorPil and SmolVLMImageProcessorPil, and their processors, of
// transformers 5.
#pragma once

#include <memory>

#include "models/idefics3/config.h"
#include "models/load_options.h"
#include "models/parts/tiling.h"

namespace ocellus::models {

// Within the caller's limits: the reference's size.longest_edge at so many tiles a side.
// kInvalidArgument for limits below what one input takes.
Result<std::unique_ptr<const Tiling>> make_idefics3_tiling(const Idefics3Config& config,
                                                           const PictureOptions& options);

}  // namespace ocellus::models
