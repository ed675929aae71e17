// The decoder of tokenizer.json: from the texts of tokens back to text. Reference: the tokenizers
// library, decoders/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "ocellus/error.h"
#include "text/pattern.h"

namespace ocellus::text {

// Immutable; any thread.
class TokenDecoder {
 public:
  // `value` may be null: then tokens are joined as they are. kBadModel; kUnsupported naming a type
  // that is not known.
  static Result<TokenDecoder> parse(const json::bj::value* value, std::string_view file);
  // Llama's own; `strip_space`: the first space of a text goes.
  static TokenDecoder sentencepiece(bool strip_space);
  static TokenDecoder byte_level();

  // The text of the tokens, ill-formed bytes as U+FFFD.
  std::string apply(std::vector<std::string> tokens) const;
  // The same as raw bytes, for callers who wait for the rest of a character.
  std::string apply_raw(std::vector<std::string> tokens) const;

 private:
  enum class Kind { kReplace, kByteFallback, kFuse, kStrip, kByteLevel, kMetaspace };
  struct Step {
    Kind kind;
    Pattern pattern;
    std::string content;
    int start = 0, stop = 0;
    bool strip_first = true;
  };
  Status parse_step(const json::bj::value& value, std::string_view file, int depth);
  std::string run(std::vector<std::string> tokens, bool raw) const;
  std::vector<Step> steps_;
};

}  // namespace ocellus::text
