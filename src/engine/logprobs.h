// Log-probabilities of tokens, from a row of logits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ocellus::engine {

struct TokenScore {
  std::int32_t id = 0;
  float logprob = 0;  // natural logarithm
};

struct TokenScores {
  TokenScore token;
  std::vector<TokenScore> top;  // likeliest first; the lower id among equals
};

// log softmax(logits), summed in double and in the order of the ids, at `token` and at the `top`
// likeliest ids. `token` is in [0, logits.size()); the logits are finite, or minus infinity.
TokenScores score_token(std::span<const float> logits, std::int32_t token, int top);

}  // namespace ocellus::engine
