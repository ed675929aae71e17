// Pictures as LLaVA-NeXT and OneVision see them: whole, then in tiles (anyres.h).
// Reference: LlavaNextImageProcessorPil and LlavaOnevisionImageProcessorPil of transformers 5.
#pragma once

#include <memory>

#include "models/parts/anyres.h"
#include "models/parts/tiling.h"

namespace ocellus::models {

// `settings`: of each tile. kBadModel when they do not give the tower's square.
Result<std::unique_ptr<const Tiling>> make_anyres_tiling(const AnyresConfig& config,
                                                         const image::PreprocessSettings& settings);

}  // namespace ocellus::models
