// What the LLaVA line has in common: a vision transformer, two linear layers and a decoder, and
// where checkpoints say of which sizes.
// Reference: transformers 5, models/llava{,_next,_onevision}/configuration_*.py; llama.cpp's
// converters.
#pragma once

#include <string_view>

#include "formats/config_reader.h"
#include "formats/gguf_writer.h"
#include "image/preprocess.h"
#include "models/checkpoint.h"
#include "models/parts/mlp_projector.h"
#include "models/parts/tiled_pictures.h"
#include "ocellus/error.h"

namespace ocellus::models {

struct MlpTiledConfig : TiledConfig {
  MlpProjectorConfig projector;
  image::PreprocessSettings images;
};

// The defaults of a family's configuration class.
struct MlpTiledDefaults {
  std::string_view tower = "clip_vision_model", language = "llama";
  std::int64_t feature_layer = -2;
  std::string_view feature_select = "default";
  std::int64_t image_token = 32000;
};

// Of config.json: all but `images`. Errors go to the reader.
void read_mlp_tiled_config(formats::ConfigReader& r, const MlpTiledDefaults& defaults,
                           MlpTiledConfig& c);
// What config.json leaves to other files of a Hugging Face checkpoint: image processor, head.
Status read_mlp_tiled_files(const Checkpoint& checkpoint, MlpTiledConfig& c);

// Of a GGUF pair: all. kBadModel naming file and key.
Status read_mlp_tiled_gguf(const Checkpoint& checkpoint, MlpTiledConfig& c);
// Every key of the tower's file that it reads, of a checkpoint that has the norm after the last
// layer or not. kUnsupported naming `file` and what has no key.
Status put_mlp_tiled_gguf(formats::GgufWriter& writer, const MlpTiledConfig& c, bool has_post_norm,
                          std::string_view file);

// The tensors of tower, projector and language model. A family may add "image_newline".
TensorTable mlp_tiled_tensors(const MlpTiledConfig& c);

}  // namespace ocellus::models
