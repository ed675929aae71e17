// The settings of LLaVA-NeXT and OneVision, and where checkpoints have them.
// Reference: transformers 5, models/llava_{next,onevision}/configuration_*.py; llama.cpp's
// converters.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf_writer.h"
#include "models/checkpoint.h"
#include "models/parts/anyres.h"
#include "models/parts/mlp_tiled_config.h"
#include "ocellus/error.h"

namespace ocellus::models {

struct AnyresModelConfig : MlpTiledConfig {
  AnyresConfig anyres;
  std::string gguf_newline;  // the name that a GGUF file gives the vector at lines' ends
};

// What differs from family to family.
struct AnyresDefaults {
  std::string_view family;
  MlpTiledDefaults config;
  std::vector<image::Size> grids;
  std::int64_t averaged_above = 0;  // AnyresConfig; of configurations that do not say it
  bool single_in_conversation = false;
};

// config.json and what stands beside it, or the metadata of a GGUF pair. kBadModel naming file and
// key, expected and found; kUnsupported for parts that are not built in. The image processor's list
// of grids has to be config.json's: the reference counts tokens by one and computes rows by the
// other.
Result<AnyresModelConfig> read_anyres_config(const Checkpoint& checkpoint,
                                             const AnyresDefaults& defaults);
// config.json alone: images are not read.
Result<AnyresModelConfig> parse_anyres_config(std::string_view text, std::string_view file,
                                              const AnyresDefaults& defaults);

// Whether a GGUF tower with a projector of type mlp sees tiles, and whether rows of them are
// averaged above a limit.
bool is_anyres_gguf(const Checkpoint& checkpoint);
bool is_averaged_anyres_gguf(const Checkpoint& checkpoint);

// Every key of the tower's file that read_anyres_config() reads, as put_mlp_tiled_gguf().
Status put_anyres_gguf(formats::GgufWriter& writer, const AnyresModelConfig& config,
                       bool has_post_norm, std::string_view file);

}  // namespace ocellus::models
