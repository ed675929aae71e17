#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/result.h"

namespace ocellus::engine {
namespace {

using base::make_error;

constexpr std::size_t kMaxBiases = 1024;

// SplitMix64 as a hash of (seed, k): a counter-based generator, with no state that others could
// move on.
double uniform(std::uint64_t seed, std::uint64_t k) {
  std::uint64_t z = seed * 0x9E3779B97F4A7C15ull + (k + 1) * 0xD1B54A32D192ED03ull;
  for (int round = 0; round < 2; ++round) {
    z += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z ^= z >> 31;
  }
  return static_cast<double>(z >> 11) * 0x1p-53;
}

// Calls change(logit, times) for each id of `seen` that has a logit.
template <typename Change>
void for_each_seen(std::span<float> logits, std::span<const std::int32_t> seen, Change&& change) {
  std::vector<std::int32_t> sorted(seen.begin(), seen.end());
  std::ranges::sort(sorted);
  for (auto it = sorted.begin(); it != sorted.end();) {
    const auto end = std::upper_bound(it, sorted.end(), *it);
    if (*it >= 0 && static_cast<std::size_t>(*it) < logits.size())
      change(logits[static_cast<std::size_t>(*it)], static_cast<float>(end - it));
    it = end;
  }
}

}  // namespace

Status check(const SamplingOptions& o, std::int64_t vocabulary) {
  const auto bad = [](const char* field, const char* expected, double found) {
    return make_error(ErrorCode::kInvalidArgument, "{}: expected {}, found {}", field, expected,
                      found);
  };
  // Each comparison is false for NaN.
  if (!(o.temperature >= 0 && o.temperature <= 100))
    return bad("temperature", "0 to 100", o.temperature);
  if (!(o.top_p > 0 && o.top_p <= 1)) return bad("top_p", "more than 0, at most 1", o.top_p);
  if (!(o.top_k >= 0)) return bad("top_k", "0 or more", static_cast<double>(o.top_k));
  if (!(o.min_p >= 0 && o.min_p <= 1)) return bad("min_p", "0 to 1", o.min_p);
  if (!(o.repetition_penalty > 0 && o.repetition_penalty <= 100))
    return bad("repetition_penalty", "more than 0, at most 100", o.repetition_penalty);
  if (!(o.presence_penalty >= -2 && o.presence_penalty <= 2))
    return bad("presence_penalty", "-2 to 2", o.presence_penalty);
  if (!(o.frequency_penalty >= -2 && o.frequency_penalty <= 2))
    return bad("frequency_penalty", "-2 to 2", o.frequency_penalty);
  if (!(o.min_tokens >= 0))
    return bad("min_tokens", "0 or more", static_cast<double>(o.min_tokens));
  if (o.logit_bias.size() > kMaxBiases)
    return bad("logit_bias", "at most 1024 tokens", static_cast<double>(o.logit_bias.size()));
  for (const auto& [id, bias] : o.logit_bias) {
    if (id < 0 || id >= vocabulary) {
      return make_error(ErrorCode::kInvalidArgument,
                        "logit_bias: expected ids from 0 to {}, found {}", vocabulary - 1, id);
    }
    if (!(bias >= -100 && bias <= 100)) return bad("logit_bias", "-100 to 100", bias);
  }
  return {};
}

void Sampler::penalize(std::span<float> logits, std::span<const std::int32_t> history,
                       std::int64_t generated) const {
  const SamplingOptions& o = options_;
  if (o.repetition_penalty != 1) {
    for_each_seen(logits, history, [&](float& logit, float) {
      logit = logit < 0 ? logit * o.repetition_penalty : logit / o.repetition_penalty;
    });
  }
  if (o.presence_penalty != 0 || o.frequency_penalty != 0) {
    for_each_seen(logits, history.last(static_cast<std::size_t>(generated)),
                  [&](float& logit, float times) {
                    logit -= o.presence_penalty + times * o.frequency_penalty;
                  });
  }
  for (const auto& [id, bias] : o.logit_bias) logits[static_cast<std::size_t>(id)] += bias;
}

void Sampler::forbid_end_tokens(std::span<float> logits, std::int64_t generated) const {
  if (!options_.ignore_eos && generated >= options_.min_tokens) return;
  for (const std::int32_t id : end_tokens_) {
    if (id >= 0 && static_cast<std::size_t>(id) < logits.size())
      logits[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
  }
}

Status Sampler::prepare(std::span<float> logits, std::span<const std::int32_t> history,
                        std::int64_t generated) const {
  const auto broken = std::ranges::find_if(
      logits, [](float x) { return std::isnan(x) || x == std::numeric_limits<float>::infinity(); });
  if (logits.empty() || broken != logits.end())
    return make_error(ErrorCode::kInternal, "non-finite logits at token {}", generated);
  penalize(logits, history, generated);
  forbid_end_tokens(logits, generated);
  return {};
}

Result<std::int32_t> Sampler::sample(std::span<float> logits, std::span<const std::int32_t> history,
                                     std::int64_t generated) {
  OCELLUS_RETURN_IF_ERROR(prepare(logits, history, generated));
  const auto best = std::ranges::max_element(logits);  // the first of equals
  if (!std::isfinite(*best))
    return make_error(ErrorCode::kInternal, "non-finite logits at token {}", generated);
  if (options_.temperature <= 0) return static_cast<std::int32_t>(best - logits.begin());
  return draw(logits, static_cast<std::uint64_t>(generated));
}

Result<std::optional<std::int32_t>> Sampler::sample(std::span<float> logits,
                                                    std::span<const std::int32_t> history,
                                                    std::int64_t generated,
                                                    text::TokenConstraint& constraint) {
  OCELLUS_RETURN_IF_ERROR(prepare(logits, history, generated));
  if (options_.temperature <= 0) return likeliest_allowed(logits, constraint);
  forbid_others(logits, constraint);
  if (!std::isfinite(std::ranges::max(logits))) return std::nullopt;
  return draw(logits, static_cast<std::uint64_t>(generated));
}

bool Sampler::is_end(std::int32_t id) const {
  return std::ranges::find(end_tokens_, id) != end_tokens_.end();
}

void Sampler::forbid_others(std::span<float> logits, text::TokenConstraint& constraint) const {
  const std::vector<bool>& allowed = constraint.allowed();
  for (std::size_t id = 0; id < logits.size(); ++id) {
    const bool may = is_end(static_cast<std::int32_t>(id)) ? constraint.may_end()
                                                           : id < allowed.size() && allowed[id];
    if (!may) logits[id] = -std::numeric_limits<float>::infinity();
  }
}

// One of the likeliest is mostly right, and to try one costs little beside the whole vocabulary.
std::optional<std::int32_t> Sampler::likeliest_allowed(std::span<float> logits,
                                                       text::TokenConstraint& constraint) const {
  constexpr int kTries = 16;
  for (int i = 0; i <= kTries; ++i) {
    if (i == kTries) forbid_others(logits, constraint);
    const auto best = std::ranges::max_element(logits);
    if (!std::isfinite(*best)) return std::nullopt;
    const auto id = static_cast<std::int32_t>(best - logits.begin());
    if (is_end(id) ? constraint.may_end() : constraint.allows(id)) return id;
    *best = -std::numeric_limits<float>::infinity();
  }
  return std::nullopt;
}

std::int32_t Sampler::draw(std::span<const float> logits, std::uint64_t k) {
  candidates_.clear();
  for (std::size_t id = 0; id < logits.size(); ++id)
    if (std::isfinite(logits[id]))
      candidates_.push_back({logits[id], static_cast<std::int32_t>(id)});
  keep_likeliest();
  // Softmax in double, summed in one fixed order: likeliest first.
  weights_.clear();
  double total = 0;
  for (const Candidate& candidate : candidates_) {
    weights_.push_back(weight(candidate));
    total += weights_.back();
  }
  double left = uniform(options_.seed, k) * total;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    left -= weights_[i];
    if (left < 0) return candidates_[i].id;
  }
  return candidates_.front().id;  // rounding ate the last crumb
}

// The difference is divided, not the logits: a tiny temperature must not make two of them infinite.
double Sampler::weight(const Candidate& candidate) const {
  const double below =
      static_cast<double>(candidate.logit) - static_cast<double>(candidates_.front().logit);
  return std::exp(below / static_cast<double>(options_.temperature));
}

void Sampler::keep_likeliest() {
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  if (options_.top_k > 0 && static_cast<std::size_t>(options_.top_k) < candidates_.size()) {
    // Those equal to the last one stay too, as in the reference.
    const auto last = candidates_.begin() + static_cast<std::ptrdiff_t>(options_.top_k - 1);
    std::ranges::nth_element(candidates_, last, likelier);
    const float least = last->logit;
    std::erase_if(candidates_, [&](const Candidate& c) { return c.logit < least; });
  }
  std::ranges::sort(candidates_, likelier);
  if (options_.top_p < 1) {
    double total = 0, sum = 0;
    for (const Candidate& c : candidates_) total += weight(c);
    std::size_t keep = 0;
    while (keep < candidates_.size() && sum < static_cast<double>(options_.top_p) * total)
      sum += weight(candidates_[keep++]);
    candidates_.resize(std::max<std::size_t>(1, keep));
  }
  if (options_.min_p > 0) {
    // In order, so that those below the share are a tail.
    const auto tail = std::ranges::find_if(candidates_, [&](const Candidate& c) {
      return weight(c) < static_cast<double>(options_.min_p);
    });
    candidates_.erase(tail, candidates_.end());
  }
}

}  // namespace ocellus::engine
