// tokenizer.model and the files that add tokens to it.
#pragma once

#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "text/tokenizer.h"

namespace ocellus::text {

// Its tokens in the order of their ids. kBadModel naming `file`.
Result<std::vector<VocabularyToken>> read_sentencepiece(std::string_view model,
                                                        std::string_view file);

// The tokens of added_tokens.json and of tokenizer_config.json, which knows more (texts, may be
// empty). kBadModel, or the JSON layer's kInvalidArgument.
Result<std::vector<AddedToken>> read_added_tokens(std::string_view config_json,
                                                  std::string_view added_json);

}  // namespace ocellus::text
