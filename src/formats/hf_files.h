// The small files of a Hugging Face folder that say nothing about layers: how to sample, and the
// chat template. Reference: transformers 5, generation/configuration_utils.py,
// tokenization_utils_base.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::formats {

// generation_config.json, with GenerationConfig's defaults.
struct GenerationConfig {
  double temperature = 1.0;
  bool do_sample = false;
  double top_p = 1.0;
  std::int64_t top_k = 0;  // 0: off
  double repetition_penalty = 1.0;
  std::int64_t max_new_tokens = 0;       // 0: not given
  std::vector<std::int64_t> eos_tokens;  // empty: not given
};

// kBadModel naming `file`, the key, expected and found.
Result<GenerationConfig> parse_generation_config(std::string_view text, std::string_view file);

// The chat template in tokenizer_config.json, processor_config.json or chat_template.json: a text,
// or the one named "default" of several. Nothing where the file has none. kBadModel.
Result<std::optional<std::string>> parse_chat_template(std::string_view text,
                                                       std::string_view file);

}  // namespace ocellus::formats
