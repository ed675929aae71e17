// Pictures as InternVL sees them: squashed into a grid of tiles that has about their shape, and, if
// those are several, whole at last.
// Reference: GotOcr2ImageProcessorPil and InternVLProcessor of transformers 5.
#pragma once

#include <memory>

#include "models/internvl/config.h"
#include "models/load_options.h"
#include "models/parts/tiling.h"

namespace ocellus::models {

// Within the caller's limits: the reference's max_patches. kBadModel when the image processor's
// settings do not give what the tower takes; kInvalidArgument for limits below what one input
// takes.
Result<std::unique_ptr<const Tiling>> make_internvl_tiling(const InternVlConfig& config,
                                                           const PictureOptions& options);

}  // namespace ocellus::models
