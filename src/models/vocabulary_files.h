// Byte-level vocabularies in two files, vocab.json and merges.txt, as older tokenizers saved them.
#pragma once

#include <string>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::models {

// The tokenizer.json that says the same, with what goes by the class that tokenizer_config.json
// names. kUnsupported for another class; kBadModel naming `folder` and the file.
Result<std::string> tokenizer_json_of(std::string_view vocabulary, std::string_view merges,
                                      std::string_view tokenizer_config, const std::string& folder);

}  // namespace ocellus::models
