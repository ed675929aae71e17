// The chat template of a Hugging Face folder. Reference: transformers 5, tokenization_utils_base.py.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::formats {

// The chat template in tokenizer_config.json, processor_config.json or chat_template.json: a text,
// or the one named "default" of several. Nothing where the file has none. kBadModel.
Result<std::optional<std::string>> parse_chat_template(std::string_view text,
                                                       std::string_view file);

}  // namespace ocellus::formats
