// The way back from pieces to text. Reference: the tokenizers library, decoders/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "ocellus/error.h"
#include "text/normalizer.h"

namespace ocellus::text {

// Immutable; any thread.
class Decoder {
 public:
  static Result<Decoder> parse(const json::bj::value* value, std::string_view file);
  // Llama's own.
  static Decoder sentencepiece(bool strip_space);

  // The text of the pieces, ill-formed bytes as U+FFFD.
  std::string apply(std::vector<std::string> pieces) const;
  // The same as raw bytes, for callers who wait for the rest of a character.
  std::string apply_raw(std::vector<std::string> pieces) const;

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
  std::string run(std::vector<std::string> pieces, bool raw) const;
  std::vector<Step> steps_;
};

}  // namespace ocellus::text
