// The settings of Qwen2-VL, Qwen2.5-VL and Qwen3-VL.
// Reference: transformers 5, models/{qwen2_vl,qwen2_5_vl,qwen3_vl}/configuration_*.py and
// models/qwen2_vl/image_processing_pil_qwen2_vl.py.
#pragma once

#include <cstdint>
#include <string_view>

#include "formats/gguf_writer.h"
#include "image/preprocess.h"
#include "models/checkpoint.h"
#include "models/parts/composed_model.h"
#include "models/parts/grid_tower.h"
#include "ocellus/error.h"

namespace ocellus::models {

struct QwenVlConfig : ComposedConfig {
  GridTowerConfig tower;
  image::PreprocessSettings images;             // filter, scale, mean and deviation
  std::int64_t min_pixels = 0, max_pixels = 0;  // of a picture as the tower sees it
  std::int64_t unbounded_pixels = 0;            // the most without the usual bound; 0: as many

  // Sides are multiples of so many pixels, one row of the language model each.
  std::int64_t unit() const { return tower.patch * tower.merge; }
  // Of one picture. A thin one is at least one row high, beyond the limit if need be.
  std::int64_t max_rows() const;
};

// How many times as long as wide a picture may be.
inline constexpr int kMaxAspect = 200;
// The most that a checkpoint may allow.
inline constexpr std::int64_t kMaxQwenVlPixels = std::int64_t{1} << 31;

// config.json and what stands beside it. kBadModel naming file and key, expected and found;
// kUnsupported for parts that are not built in.
Result<QwenVlConfig> read_qwen_vl_config(const Checkpoint& checkpoint);
// config.json alone: images are not read.
Result<QwenVlConfig> parse_qwen_vl_config(std::string_view text, std::string_view file);

// Of a GGUF pair. Errors as above.
Result<QwenVlConfig> read_qwen_vl_gguf(const Checkpoint& checkpoint);
// Every key of the tower's file that it reads. kUnsupported naming `file` and what has no key.
Status put_qwen_vl_gguf(formats::GgufWriter& writer, const QwenVlConfig& config,
                        std::string_view file);

// The tower of a model_type with its class's defaults.
GridTowerConfig usual_qwen_vl_tower(std::string_view model_type);
// kUnsupported for pixels that no picture, or none that fits a context, has.
Status check_qwen_vl_pixels(const QwenVlConfig& config, std::string_view where);

}  // namespace ocellus::models
