// The steps between logits and sampling that change single tokens' logits or rule them out, in the
// order of transformers' generation/utils.py: biases of sequences, repetition penalty (then
// OpenAI's presence and frequency penalties and logit bias), repeated n-grams, bad words, end
// tokens that may not come yet, forced tokens, the growing weight of end tokens, suppressed tokens.
#pragma once

#include <cstdint>
#include <span>

#include "engine/sampling_options.h"

namespace ocellus::engine {

// Where the answer stands: `history` are the ids so far, the last `generated` of them the answer's.
struct AnswerSoFar {
  std::span<const std::int32_t> history;
  std::int64_t generated = 0;
  std::int64_t max_new_tokens = 0;  // the answer's limit; 0: none
};

// `logits` [vocabulary]: minus infinity for what is ruled out.
void change_logits(std::span<float> logits, const SamplingOptions& options,
                   std::span<const std::int32_t> end_tokens, const AnswerSoFar& so_far);

}  // namespace ocellus::engine
