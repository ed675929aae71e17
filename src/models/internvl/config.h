// The settings of InternVL 2.5 and 3, in transformers' layout ("-hf") or their own.
// Reference: transformers 5, models/internvl/configuration_internvl.py and
// models/got_ocr2/image_processing_pil_got_ocr2.py; llama.cpp's converters.
#pragma once

#include <cstdint>
#include <string_view>

#include "formats/gguf_writer.h"
#include "image/preprocess.h"
#include "models/checkpoint.h"
#include "models/parts/tiled_pictures.h"
#include "ocellus/error.h"

namespace ocellus::models {

struct InternVlConfig : TiledConfig {
  std::int64_t shuffle = 0;  // patches down and across that become one row
  tensor::Activation activation = tensor::Activation::kGelu;  // between the connector's layers
  image::PreprocessSettings images;
  std::int64_t min_tiles = 1, max_tiles = 12;
  bool own_layout = false;  // the checkpoint is in InternVL's, not in transformers'

  std::int64_t tile_rows() const { return tower.patches() / (shuffle * shuffle); }
  // Tiles, and the whole picture beside several.
  std::int64_t max_rows() const { return (max_tiles > 1 ? max_tiles + 1 : 1) * tile_rows(); }
};

// config.json and what stands beside it, or the metadata of a GGUF pair. kBadModel naming file and
// key, expected and found; kUnsupported for parts that are not built in.
Result<InternVlConfig> read_internvl_config(const Checkpoint& checkpoint);
// config.json alone: images are not read.
Result<InternVlConfig> parse_internvl_config(std::string_view text, std::string_view file);

// Every key of the tower's file that read_internvl_config() reads. kUnsupported naming `file` and
// what has no key.
Status put_internvl_gguf(formats::GgufWriter& writer, const InternVlConfig& config,
                         std::string_view file);

}  // namespace ocellus::models
