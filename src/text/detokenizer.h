// Tokens to text as they come.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace ocellus::text {

// Gives text as soon as it is certain: never half a character. All of it together is
// Tokenizer::decode of all ids without the special ones. One thread. The tokenizer must outlive it.
class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  // The text that this token makes certain; often a word, sometimes nothing.
  std::string push(std::int32_t id);
  // What was held back, ill-formed bytes as U+FFFD.
  std::string finish();
  // The bytes that this id would add next, which may be part of a character; a control token's
  // name.
  std::string bytes_of(std::int32_t id) const;

 private:
  const Tokenizer* tokenizer_;
  std::vector<std::string> context_;  // the token before the next one; none at the start
  std::string pending_;               // bytes that may become a character
};

// Cuts an answer before the first stop string, and holds back text that may be the beginning of
// one.
class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);

  // The text that is now known not to belong to a stop string.
  std::string push(std::string_view text);
  // What was held back; to be called at the end when stopped() is false.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace ocellus::text
