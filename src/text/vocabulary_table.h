// A tokenizer as a table of tokens: what Tokenizer::from_scored_tokens() and from_merges() take,
// and what GGUF files hold.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "text/tokenizer.h"

namespace ocellus::text {

struct VocabularyTable {
  bool scored = false;                  // SentencePiece, by scores; else byte-level, by merges
  std::vector<VocabularyToken> tokens;  // by id; kUnused where an id names nothing
  // "left right", best first: of a byte-level vocabulary, and of a scored one whose merges are not
  // all ways to cut its tokens.
  std::vector<std::string> merges;
  std::string pre_tokenizer;                     // byte-level: its name, as from_merges() takes it
  PrefixSpace prefix = PrefixSpace::kEveryText;  // scored
};

// From tokenizer.json and what is beside it. Scores are those of `sentencepiece` (the bytes of a
// tokenizer.model beside it, may be empty) where its tokens are the same, else the ranks of the
// merges. kBadModel; kUnsupported for a tokenizer that is no such table, naming the step.
Result<VocabularyTable> read_vocabulary_json(std::string_view json, const TokenizerFiles& beside,
                                             std::string_view sentencepiece, std::string_view file);

// From tokenizer.model and what the files beside it add, as Tokenizer::parse_sentencepiece().
Result<VocabularyTable> read_vocabulary_sentencepiece(std::string_view model,
                                                      const TokenizerFiles& beside,
                                                      std::string_view file);

}  // namespace ocellus::text
