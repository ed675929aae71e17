// The normalizer of tokenizer.json: it rewrites text before anything is cut. Reference: the
// tokenizers library, normalizers/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "ocellus/error.h"
#include "text/pattern.h"

namespace ocellus::text {

// Whether the template wrote every byte from `begin` to `end`: one byte of `trusted` for each.
inline bool all_trusted(std::string_view trusted, std::size_t begin, std::size_t end) {
  return trusted.substr(begin, end - begin).find('\0') == std::string_view::npos;
}

// Where text gets a space in front that nobody wrote, before a scored vocabulary encodes it.
enum class PrefixSpace {
  kNone,
  kEveryText,     // the text, and what follows each control token: Llama's normaliser
  kUnlessSpaced,  // the same, but for text that begins with a space: Metaspace "always"
  kStartOnly,     // the text's start, unless it begins with a space: Metaspace "first"
};

// Immutable; any thread.
class Normalizer {
 public:
  // `value` may be null: then nothing is rewritten. kBadModel; kUnsupported naming a type that is
  // not known.
  static Result<Normalizer> parse(const json::bj::value* value, std::string_view file);
  // Llama's own: the prefix and the spaces become U+2581. Where Metaspace does that, this does
  // nothing.
  static Normalizer sentencepiece(PrefixSpace prefix);
  static Normalizer nfc();

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

}  // namespace ocellus::text
