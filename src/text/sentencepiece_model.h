// tokenizer.model and the files that add tokens to it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "text/tokenizer.h"

namespace ocellus::text {

// Its tokens in the order of their ids. kBadModel naming `file`.
Result<std::vector<VocabularyToken>> read_sentencepiece(std::string_view model,
                                                        std::string_view file);

// What the files beside it add, with the ids that they give; what they only call special has the
// vocabulary's id, or none and is left out. kBadModel naming `file`.
Result<std::vector<AddedToken>> place_added_tokens(const TokenizerFiles& beside,
                                                   std::span<const VocabularyToken> tokens,
                                                   std::string_view file);

}  // namespace ocellus::text
