// Which layers of a decoder keep a state, and of what size: of a Hugging Face configuration.
// Reference: transformers 5, models/qwen3_5/configuration_qwen3_5.py.
#pragma once

#include "formats/config_reader.h"
#include "models/parts/decoder_config.h"

namespace ocellus::models {

// Fills what `c` has of it, whose layers and rms_norm_eps are known. Errors go to the reader.
void read_delta_net_config(formats::ConfigReader& r, DecoderConfig& c);

}  // namespace ocellus::models
