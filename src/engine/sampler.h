// From logits to a token: single logits are changed (logit_changes.h), then the likeliest is taken,
// or one is drawn (candidates.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/candidates.h"
#include "engine/sampling_options.h"
#include "ocellus/error.h"
#include "text/constraint/token_constraint.h"

namespace ocellus::engine {

// One sequence's sampler. The draw of token k depends on the seed and k only, so equal seeds give
// equal answers whatever else is running. One thread.
class Sampler {
 public:
  // `max_new_tokens`: the answer's limit as it was asked for; 0: none.
  explicit Sampler(SamplingOptions options, std::vector<std::int32_t> end_tokens = {},
                   std::int64_t max_new_tokens = 0)
      : options_(std::move(options)),
        end_tokens_(std::move(end_tokens)),
        max_new_tokens_(max_new_tokens) {}

  // `logits` [vocabulary] is overwritten; `history` are the ids so far, the last `generated` of
  // them the answer's. Greedy takes the lowest id among equals. kInternal when a logit is NaN or
  // none is finite; kInvalidArgument when the options rule out every token.
  Result<std::int32_t> sample(std::span<float> logits, std::span<const std::int32_t> history,
                              std::int64_t generated);
  // The same among the tokens that the constraint allows; an end token where the answer may end.
  // Nothing when none of them is finite.
  Result<std::optional<std::int32_t>> sample(std::span<float> logits,
                                             std::span<const std::int32_t> history,
                                             std::int64_t generated,
                                             text::TokenConstraint& constraint);

 private:
  Status prepare(std::span<float> logits, std::span<const std::int32_t> history,
                 std::int64_t generated) const;
  bool is_end(std::int32_t id) const;
  std::optional<std::int32_t> likeliest_allowed(std::span<float> logits,
                                                text::TokenConstraint& constraint) const;
  void forbid_others(std::span<float> logits, text::TokenConstraint& constraint) const;
  std::int32_t draw(std::span<const float> logits, std::uint64_t k);

  SamplingOptions options_;
  std::vector<std::int32_t> end_tokens_;
  std::int64_t max_new_tokens_;
  Candidates candidates_;
};

}  // namespace ocellus::engine
