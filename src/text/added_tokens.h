// The tokens that the files of a tokenizer add to its vocabulary.
// Reference: transformers 5, PreTrainedTokenizerBase._from_pretrained and TokenizersBackend.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "ocellus/error.h"
#include "text/tokenizer.h"

namespace ocellus::text {

// Not yet placed: the vocabulary's id if it has the text, else the next one that is free.
inline constexpr std::int32_t kNoId = -1;

// What the files beside tokenizer.json add, in the order in which it is added: the
// added_tokens_decoder of tokenizer_config.json, else added_tokens.json; then the tokens that
// tokenizer_config.json and special_tokens_map.json call special. A text may come twice.
Result<std::vector<AddedToken>> read_more_tokens(const TokenizerFiles& files);

// The vocabulary without what is added.
struct PlainVocabulary {
  std::function<std::optional<std::int32_t>(std::string_view)> id_of;
  std::int32_t size = 0;
};

// The added tokens of tokenizer.json (`root`) with those of the files beside it, as the tokenizers
// library adds them: a token of the same text takes the flags of an added_tokens_decoder or of
// added_tokens.json, and keeps its id. kBadModel, or the JSON layer's kInvalidArgument.
Result<std::vector<AddedToken>> read_added_tokens(const json::bj::object& root,
                                                  const TokenizerFiles& beside,
                                                  const PlainVocabulary& vocabulary,
                                                  std::string_view file);

}  // namespace ocellus::text
