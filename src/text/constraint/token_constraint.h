// Holds one answer to a grammar, token by token.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "text/constraint/grammar.h"
#include "text/constraint/matcher.h"
#include "text/constraint/vocabulary_bytes.h"

namespace ocellus::text {

// Owned by one thread. At every moment some tokens lead to an end: an answer can always be closed.
class TokenConstraint {
 public:
  TokenConstraint(std::shared_ptr<const Grammar> grammar,
                  std::shared_ptr<const VocabularyBytes> vocabulary);

  // The answer so far is whole: it may end here.
  bool may_end() const { return matcher_.accepts(state_); }
  // And nothing may follow.
  bool must_end() const { return !matcher_.goes_on(state_); }

  bool allows(std::int32_t id);
  // An allowed token was chosen.
  void accept(std::int32_t id);

  // The ids that are allowed, one bit each; valid until the next call of anything. Of a grammar
  // that is too ambiguous to try all tokens on, only some.
  const std::vector<bool>& allowed();

  // Tokens of a shortest way to the end; the answer with them is whole. Few vocabularies have no
  // token for some byte: then as far as it goes.
  std::vector<std::int32_t> closing();
  // The least tokens that closing() can be; it is at most so many as bytes are left.
  std::uint64_t bytes_to_end() const { return matcher_.least(state_); }
  // Tokens of the text that must come next, as far as it is certain; `most` of them at most.
  std::vector<std::int32_t> forced(std::size_t most);
  // As closing(), after one more token.
  std::vector<std::int32_t> closing_after(std::int32_t id);
  std::uint64_t bytes_to_end_after(std::int32_t id);

 private:
  // Empty when the token is not allowed.
  Matcher::State after(std::int32_t id);
  std::vector<std::int32_t> tokens_of(std::string_view text, std::size_t most) const;

  Matcher matcher_;
  std::shared_ptr<const VocabularyBytes> vocabulary_;
  Matcher::State state_;
  bool at_start_ = true;
  std::vector<bool> allowed_;
  std::vector<Matcher::State> path_;  // of allowed(): the state after each byte
};

}  // namespace ocellus::text
