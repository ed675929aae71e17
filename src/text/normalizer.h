// The normaliser and pre-tokenizer steps of tokenizer.json. Reference: the tokenizers library,
// normalizers/ and pre_tokenizers/.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "ocellus/error.h"
#include "text/regex.h"

namespace ocellus::text {

// Whether the template wrote every byte from `begin` to `end`: one byte of `trusted` for each.
inline bool all_trusted(std::string_view trusted, std::size_t begin, std::size_t end) {
  return trusted.substr(begin, end - begin).find('\0') == std::string_view::npos;
}

// A literal or a regular expression, as files write {"String": ...} or {"Regex": ...}.
struct Pattern {
  std::string literal;
  std::optional<Regex> regex;

  static Result<Pattern> parse(const json::bj::value* value, std::string_view what);
  // Calls found(begin, end) for each match, left to right.
  void each_match(std::string_view text,
                  const std::function<void(std::size_t, std::size_t)>& found) const;
  std::string replace(std::string_view text, std::string_view with) const;
};

// Where a scored vocabulary's text gets a space that nobody wrote in front.
enum class PrefixSpace {
  kNone,
  kEveryText,     // the text, and what follows each control token: Llama's normaliser
  kUnlessSpaced,  // the same, but for text that begins with a space: Metaspace "always"
  kStartOnly,     // the text's start, unless it begins with a space: Metaspace "first"
};

// Rewrites text before it is cut. Immutable; any thread.
class Normalizer {
 public:
  // `value` may be null: then nothing is rewritten. kUnsupported naming a type that is not known.
  static Result<Normalizer> parse(const json::bj::value* value, std::string_view file);
  // Llama's own: the prefix and the spaces become U+2581. Where Metaspace does that, this does
  // nothing.
  static Normalizer sentencepiece(PrefixSpace prefix);

  std::string apply(std::string text) const;
  // The same; `trusted` has one byte for each of text's, '\1' where a template wrote it, and is
  // carried along. A space is nobody's: it counts as trusted once it is replaced. Where the origin
  // of a character is lost, the text around it counts as untrusted.
  std::string apply(std::string text, std::string& trusted) const;

 private:
  enum class Kind { kPrepend, kReplace, kNfc, kNfd, kNfkc, kNfkd, kLowercase, kStrip };
  struct Step {
    Kind kind;
    std::string text;  // what is prepended or put in
    Pattern pattern;
    bool left = true, right = true;
  };
  Status parse_step(const json::bj::value& value, std::string_view file, int depth);
  static std::string apply_step(const Step& step, std::string text);
  static std::string trace(const Step& step, const std::string& before, const std::string& after,
                           const std::string& trusted);
  std::vector<Step> steps_;
};

// Cuts normalised text into words. Immutable; any thread.
class PreTokenizer {
 public:
  static Result<PreTokenizer> parse(const json::bj::value* value, std::string_view file);
  // Metaspace where the prefix is of its kind, else nothing.
  static PreTokenizer sentencepiece(PrefixSpace prefix);

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
