#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/result.h"
#include "engine/logit_changes.h"

namespace ocellus::engine {
namespace {

using base::make_error;

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

}  // namespace

Status Sampler::prepare(std::span<float> logits, std::span<const std::int32_t> history,
                        std::int64_t generated) const {
  const auto broken = std::ranges::find_if(
      logits, [](float x) { return std::isnan(x) || x == std::numeric_limits<float>::infinity(); });
  const bool none = std::ranges::none_of(logits, [](float x) { return std::isfinite(x); });
  if (none || broken != logits.end())
    return make_error(ErrorCode::kInternal, "non-finite logits at token {}", generated);
  change_logits(logits, options_, end_tokens_, {history, generated, max_new_tokens_});
  return {};
}

Result<std::int32_t> Sampler::sample(std::span<float> logits, std::span<const std::int32_t> history,
                                     std::int64_t generated) {
  OCELLUS_RETURN_IF_ERROR(prepare(logits, history, generated));
  const auto best = std::ranges::max_element(logits);  // the first of equals
  if (!std::isfinite(*best)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "token {}: expected settings that leave a token to choose, found all of {} "
                      "ruled out",
                      generated, logits.size());
  }
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

// In one fixed order: likeliest first.
std::int32_t Sampler::draw(std::span<const float> logits, std::uint64_t k) {
  candidates_.select(logits, options_);
  const std::span<const double> weights = candidates_.weights();
  double left = uniform(options_.seed, k) * candidates_.total();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return candidates_.all()[i].id;
  }
  return candidates_.all().front().id;  // rounding ate the last crumb
}

}  // namespace ocellus::engine
