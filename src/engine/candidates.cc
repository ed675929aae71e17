#include "engine/candidates.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ocellus::engine {
namespace {

constexpr std::size_t kTopHTokens = 100;  // top-h looks at no more, as the reference

bool likelier(const Candidates::Candidate& a, const Candidates::Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

}  // namespace

void Candidates::select(std::span<const float> logits, const SamplingOptions& o) {
  candidates_.clear();
  for (std::size_t id = 0; id < logits.size(); ++id)
    if (std::isfinite(logits[id]))
      candidates_.push_back({logits[id], static_cast<std::int32_t>(id)});
  if (o.top_h < 1) {
    sort(o.temperature);
    keep_first(kTopHTokens);
    apply_top_h(static_cast<double>(o.top_h));
  }
  keep_likeliest(o.top_k);
  sort(o.temperature);
  if (o.top_p < 1) apply_top_p(static_cast<double>(o.top_p));
  if (o.min_p > 0) keep_above(static_cast<double>(o.min_p));
  if (o.typical_p < 1) apply_typical_p(static_cast<double>(o.typical_p));
  if (o.epsilon_cutoff > 0) apply_epsilon(static_cast<double>(o.epsilon_cutoff));
  if (o.eta_cutoff > 0) apply_eta(static_cast<double>(o.eta_cutoff));
}

// The first `count` in the order of likelihood and those equal to the last of them, as in the
// reference; in any order.
void Candidates::keep_likeliest(std::int64_t count) {
  if (count <= 0 || std::cmp_greater_equal(count, candidates_.size())) return;
  const auto last = candidates_.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::ranges::nth_element(candidates_, last, likelier);
  const float least = last->logit;
  std::erase_if(candidates_, [&](const Candidate& c) { return c.logit < least; });
}

// The difference is divided, not the logits: a tiny temperature must not make two of them infinite.
void Candidates::sort(float temperature) {
  std::ranges::sort(candidates_, likelier);
  weights_.clear();
  for (const Candidate& c : candidates_) {
    const double below =
        static_cast<double>(c.logit) - static_cast<double>(candidates_.front().logit);
    weights_.push_back(std::exp(below / static_cast<double>(temperature)));
  }
}

double Candidates::total() const { return std::accumulate(weights_.begin(), weights_.end(), 0.0); }

double Candidates::entropy() const {
  const double all = total();
  double sum = 0;
  for (const double weight : weights_)
    if (weight > 0) sum -= weight / all * std::log(weight / all);
  return sum;
}

void Candidates::keep_first(std::size_t count) {
  count = std::clamp<std::size_t>(count, 1, candidates_.size());
  candidates_.resize(count);
  weights_.resize(count);
}

// The weights fall, so that those below the limit are a tail; the likeliest stays, and all that are
// as likely, as in the reference.
void Candidates::keep_above(double limit) {
  limit = std::min(limit, weights_.front());
  const auto tail = std::ranges::find_if(weights_, [&](double weight) { return weight < limit; });
  keep_first(static_cast<std::size_t>(tail - weights_.begin()));
}

// While their part of the entropy is within the share.
void Candidates::apply_top_h(double share) {
  const double all = total(), limit = share * entropy();
  double sum = 0;
  std::size_t keep = 0;
  for (; keep < weights_.size(); ++keep) {
    const double p = weights_[keep] / all;
    if (p > 0) sum -= p * std::log(p);
    if (sum > limit) break;
  }
  keep_first(keep);
}

void Candidates::apply_top_p(double share) {
  const double limit = share * total();
  double sum = 0;
  std::size_t keep = 0;
  while (keep < weights_.size() && sum < limit) sum += weights_[keep++];
  keep_first(keep);
}

// Those whose surprise is nearest to the entropy, up to the mass (Meister and others, "Locally
// Typical Sampling", 2022).
void Candidates::apply_typical_p(double mass) {
  const double all = total(), mean = entropy();
  const auto distance = [&](double weight) { return std::abs(-std::log(weight / all) - mean); };
  std::vector<double> near = weights_;
  std::ranges::stable_sort(near, {}, distance);
  double sum = 0;
  std::size_t last = 0;
  for (; last + 1 < near.size(); ++last) {
    sum += near[last] / all;
    if (sum >= mass) break;
  }
  const double farthest = distance(near[last]);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (distance(weights_[i]) > farthest) continue;
    candidates_[kept] = candidates_[i];
    weights_[kept++] = weights_[i];
  }
  keep_first(kept);
}

void Candidates::apply_epsilon(double epsilon) { keep_above(epsilon * total()); }

// Hewitt and others, "Truncation Sampling as Language Model Desmoothing", 2022.
void Candidates::apply_eta(double epsilon) {
  apply_epsilon(std::min(epsilon, std::sqrt(epsilon) * std::exp(-entropy())));
}

}  // namespace ocellus::engine
