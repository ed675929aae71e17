#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ocellus::engine {

TokenScores score_token(std::span<const float> logits, std::int32_t token, int top) {
  const auto highest = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  const double log_sum = highest + std::log(sum);
  const auto score = [&](std::int32_t id) {
    const auto logit = static_cast<double>(logits[static_cast<std::size_t>(id)]);
    return TokenScore{id, static_cast<float>(logit - log_sum)};
  };
  TokenScores scores{.token = score(token), .top = {}};
  if (top <= 0) return scores;
  std::vector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto end = ids.begin() + std::min<std::ptrdiff_t>(top, std::ssize(ids));
  std::partial_sort(ids.begin(), end, ids.end(), [&](std::int32_t a, std::int32_t b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  });
  for (auto id = ids.begin(); id != end; ++id) scores.top.push_back(score(*id));
  return scores;
}

}  // namespace ocellus::engine
