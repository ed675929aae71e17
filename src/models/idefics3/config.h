// The settings of Idefics3, SmolVLM and SmolVLM2.
// Reference: transformers 5, models/{idefics3,smolvlm}/configuration_*.py; llama.cpp's converters.
#pragma once

#include <cstdint>
#include <string_view>

#include "formats/gguf_writer.h"
#include "image/preprocess.h"
#include "models/checkpoint.h"
#include "models/parts/tiled_pictures.h"
#include "ocellus/error.h"

namespace ocellus::models {

struct Idefics3Config : TiledConfig {
  std::int64_t shuffle = 0;          // patches down and across that become one row
  image::PreprocessSettings images;  // filter, scale, mean and deviation
  std::int64_t longest_edge = 0;     // pixels of a picture, before it is cut
  bool splits = true;                // into tiles

  std::int64_t tile_rows() const { return tower.patches() / (shuffle * shuffle); }
  // A picture of the longest edge has so many tiles down and across at most.
  std::int64_t tiles_a_side() const;
  std::int64_t max_rows() const;
};

// config.json and what stands beside it, or the metadata of a GGUF pair. kBadModel naming file and
// key, expected and found; kUnsupported for parts that are not built in.
Result<Idefics3Config> read_idefics3_config(const Checkpoint& checkpoint);
// config.json alone: images are not read.
Result<Idefics3Config> parse_idefics3_config(std::string_view text, std::string_view file);

// Every key of the tower's file that read_idefics3_config() reads. kUnsupported naming `file` and
// what has no key.
Status put_idefics3_gguf(formats::GgufWriter& writer, const Idefics3Config& config,
                         std::string_view file);

}  // namespace ocellus::models
