// Pictures as Qwen-VL sees them: in their own shape, as a grid of patches.
// Reference: Qwen2VLImageProcessorPil of transformers 5.
#pragma once

#include <memory>

#include "models/description.h"
#include "models/parts/composed_model.h"
#include "models/parts/grid_tower.h"
#include "models/qwen_vl/config.h"

namespace ocellus::models {

// The size that a picture is brought to: whole units within the pixels that are allowed. kBadImage
// for one more than 200 times as long as wide.
Result<image::Size> qwen_vl_size(const QwenVlConfig& config, image::Size picture);
// In 8 bits.
Result<image::Image> qwen_vl_resized(const QwenVlConfig& config, const image::Image& picture);

// The same with the most pixels that the checkpoint allows.
Result<image::Size> qwen_vl_unbounded_size(const QwenVlConfig& config, image::Size picture);
// The configuration within the caller's limits: the reference's size.shortest_edge and
// longest_edge. kInvalidArgument for other ways with pictures, and limits beyond the checkpoint's.
Result<QwenVlConfig> within_limits(const QwenVlConfig& config, const PictureOptions& options);

// Of a table with add_grid_tower_tensors(). kBadModel, kUnsupported, kOutOfMemory, kCancelled.
Result<std::unique_ptr<const Pictures>> load_qwen_vl_pictures(const QwenVlConfig& config,
                                                              const WeightLoader& loader);

}  // namespace ocellus::models
