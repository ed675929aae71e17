// From logits to a token. Semantics and order of transformers' logits processors: repetition
// penalty (and OpenAI's presence and frequency penalties and logit bias), end tokens that may not
// come yet, temperature, top-k, top-p, min-p; then one draw.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "ocellus/error.h"
#include "text/constraint/token_constraint.h"

namespace ocellus::engine {

struct SamplingOptions {
  float temperature = 0;         // 0: greedy
  float top_p = 1;               // 1: off
  std::int64_t top_k = 0;        // 0: off
  float min_p = 0;               // 0: off
  float repetition_penalty = 1;  // 1: off; over prompt and answer
  float presence_penalty = 0;    // subtracted from each token that the answer has
  float frequency_penalty = 0;   // subtracted for each time that it has it
  std::vector<std::pair<std::int32_t, float>> logit_bias = {};  // added to the logits of these ids
  std::int64_t min_tokens = 0;  // the answer has so many before an end token may be chosen
  bool ignore_eos = false;      // no end token is ever chosen
  std::uint64_t seed = 0;
};

// kInvalidArgument naming the field: NaN and everything outside its range is refused; so is a
// biased id outside [0, vocabulary).
Status check(const SamplingOptions& options, std::int64_t vocabulary);

// One sequence's sampler. The draw of token k depends on the seed and k only, so equal seeds give
// equal answers whatever else is running. One thread.
class Sampler {
 public:
  explicit Sampler(SamplingOptions options, std::vector<std::int32_t> end_tokens = {})
      : options_(std::move(options)), end_tokens_(std::move(end_tokens)) {}

  // `logits` [vocabulary] is overwritten; `history` are the ids so far, the last `generated` of
  // them the answer's. Greedy takes the lowest id among equals. kInternal when a logit is NaN or
  // none is finite.
  Result<std::int32_t> sample(std::span<float> logits, std::span<const std::int32_t> history,
                              std::int64_t generated);
  // The same among the tokens that the constraint allows; an end token where the answer may end.
  // Nothing when none of them is finite.
  Result<std::optional<std::int32_t>> sample(std::span<float> logits,
                                             std::span<const std::int32_t> history,
                                             std::int64_t generated,
                                             text::TokenConstraint& constraint);

 private:
  struct Candidate {
    float logit;
    std::int32_t id;
  };
  void penalize(std::span<float> logits, std::span<const std::int32_t> history,
                std::int64_t generated) const;
  void forbid_end_tokens(std::span<float> logits, std::int64_t generated) const;
  Status prepare(std::span<float> logits, std::span<const std::int32_t> history,
                 std::int64_t generated) const;
  bool is_end(std::int32_t id) const;
  std::optional<std::int32_t> likeliest_allowed(std::span<float> logits,
                                                text::TokenConstraint& constraint) const;
  void forbid_others(std::span<float> logits, text::TokenConstraint& constraint) const;
  std::int32_t draw(std::span<const float> logits, std::uint64_t k);
  void keep_likeliest();
  double weight(const Candidate& candidate) const;  // relative to the first candidate's

  SamplingOptions options_;
  std::vector<std::int32_t> end_tokens_;
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;
};

}  // namespace ocellus::engine
