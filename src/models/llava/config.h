// The settings of a LLaVA model, composed of those of its parts.
// Reference: transformers 5, models/llava/configuration_llava.py; llama.cpp's converters.
#pragma once

#include <cstdint>
#include <string_view>

#include "formats/gguf_writer.h"
#include "image/preprocess.h"
#include "models/checkpoint.h"
#include "models/description.h"
#include "models/parts/decoder_config.h"
#include "models/parts/mlp_projector.h"
#include "models/parts/vision_tower.h"
#include "models/parts/vit_config.h"
#include "ocellus/error.h"

namespace ocellus::models {

struct LlavaConfig {
  VitConfig tower;
  VitOutput features;  // what the projector takes of the tower
  MlpProjectorConfig projector;
  DecoderConfig language;
  image::PreprocessSettings images;
  ModelTokens tokens;
  bool gguf_ffn_swapped = false;  // add_vision_tower_tensors()

  // Rows that an image gives.
  std::int64_t image_rows() const { return tower.rows() - (features.drop_first_row ? 1 : 0); }
};

// config.json and what stands beside it, or the metadata of a GGUF pair. kBadModel naming file and
// key, expected and found; kUnsupported for a kind of tower, language model, activation or rope
// scaling that is not built in, and for LLaVA-1.6, which has other rows of an image.
Result<LlavaConfig> read_llava_config(const Checkpoint& checkpoint);

// config.json alone: images are not read.
Result<LlavaConfig> parse_llava_config(std::string_view text, std::string_view file);

// The tower's keys that read_llava_config() reads, of a checkpoint that has the norm after the last
// layer or not.
Status put_llava_tower_gguf(formats::GgufWriter& writer, const LlavaConfig& config,
                            bool has_post_norm, std::string_view file);

}  // namespace ocellus::models
