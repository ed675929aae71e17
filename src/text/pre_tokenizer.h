// The pre-tokenizer of tokenizer.json: it cuts normalised text into the words that BPE encodes.
// Reference: the tokenizers library, pre_tokenizers/.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "ocellus/error.h"
#include "text/normalizer.h"
#include "text/pattern.h"

namespace ocellus::text {

// Immutable; any thread.
class PreTokenizer {
 public:
  // `value` may be null: then nothing is cut. kBadModel; kUnsupported naming a type that is not
  // known.
  static Result<PreTokenizer> parse(const json::bj::value* value, std::string_view file);
  // Metaspace where the prefix is of its kind, else nothing.
  static PreTokenizer sentencepiece(PrefixSpace prefix);
  // Each digit by itself where `digits`, split by the pattern, then bytes to GPT-2's alphabet; an
  // empty pattern is GPT-2's own. kUnsupported for a pattern that does not compile.
  static Result<PreTokenizer> byte_level(std::string_view pattern, bool digits);

  // `at_start`: this text begins the whole input (Metaspace's "first" asks).
  std::vector<std::string> apply(std::string text, bool at_start) const;

 private:
  enum class Kind { kSplit, kByteLevel, kMetaspace };
  enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
  enum class Prepend { kAlways, kFirst, kNever };
  struct Step {
    Kind kind;
    Pattern pattern;
    Behavior behavior = Behavior::kIsolated;
    bool invert = false;
    bool add_prefix_space = false;  // ByteLevel
    bool use_pattern = true;        // ByteLevel: GPT-2's own pattern; Metaspace: whether it splits
    Prepend prepend = Prepend::kAlways;
    std::string replacement;  // Metaspace
  };
  Status parse_step(const json::bj::value& value, std::string_view file, int depth);
  static std::vector<std::string> split(const Step& step, std::string_view text);
  std::vector<Step> steps_;
};

// GPT-2's alphabet: each byte as a printable character.
std::string bytes_to_alphabet(std::string_view bytes);
// The way back; nothing where a character is not of the alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view text);

}  // namespace ocellus::text
