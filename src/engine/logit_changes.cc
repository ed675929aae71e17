#include "engine/logit_changes.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ocellus::engine {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

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

void set(std::span<float> logits, std::span<const std::int32_t> ids, float value) {
  for (const std::int32_t id : ids)
    if (id >= 0 && static_cast<std::size_t>(id) < logits.size())
      logits[static_cast<std::size_t>(id)] = value;
}

void forbid(std::span<float> logits, std::span<const std::int32_t> ids) {
  set(logits, ids, kNever);
}

// All of these are equal then: the lowest id is the likeliest, as in the reference.
void force(std::span<float> logits, std::span<const std::int32_t> ids) {
  std::ranges::fill(logits, kNever);
  set(logits, ids, 0);
}

bool ends_with(std::span<const std::int32_t> ids, std::span<const std::int32_t> end) {
  return ids.size() >= end.size() && std::ranges::equal(ids.last(end.size()), end);
}

void add_biases(std::span<float> logits, std::span<const SequenceBias> biases,
                std::span<const std::int32_t> history) {
  for (const SequenceBias& sequence : biases) {
    const std::span<const std::int32_t> ids = sequence.ids;
    if (!ids.empty() && ends_with(history, ids.first(ids.size() - 1)))
      logits[static_cast<std::size_t>(ids.back())] += sequence.bias;
  }
}

void penalize(std::span<float> logits, const SamplingOptions& o, const AnswerSoFar& so_far) {
  if (o.repetition_penalty != 1) {
    for_each_seen(logits, so_far.history, [&](float& logit, float) {
      logit = logit < 0 ? logit * o.repetition_penalty : logit / o.repetition_penalty;
    });
  }
  if (o.presence_penalty != 0 || o.frequency_penalty != 0) {
    for_each_seen(logits, so_far.history.last(static_cast<std::size_t>(so_far.generated)),
                  [&](float& logit, float times) {
                    logit -= o.presence_penalty + times * o.frequency_penalty;
                  });
  }
  for (const auto& [id, bias] : o.logit_bias) logits[static_cast<std::size_t>(id)] += bias;
}

// What followed the last size - 1 ids wherever else they stand.
void forbid_repeated_ngrams(std::span<float> logits, std::int64_t size,
                            std::span<const std::int32_t> history) {
  if (size <= 0 || std::cmp_less(history.size(), size)) return;
  const auto before = static_cast<std::size_t>(size) - 1;
  std::vector<std::int32_t> repeated;
  for (std::size_t next = before; next < history.size(); ++next)
    if (ends_with(history, history.subspan(next - before, before)))
      repeated.push_back(history[next]);
  forbid(logits, repeated);
}

void forbid_end_tokens(std::span<float> logits, const SamplingOptions& o,
                       std::span<const std::int32_t> end_tokens, const AnswerSoFar& so_far) {
  const std::int64_t min_length = o.rules ? o.rules->min_length : 0;
  if (o.ignore_eos || so_far.generated < o.min_tokens ||
      std::cmp_less(so_far.history.size(), min_length))
    forbid(logits, end_tokens);
}

void apply_rules(std::span<float> logits, const TokenRules& rules,
                 std::span<const std::int32_t> end_tokens, const AnswerSoFar& so_far) {
  const bool from_one_token = std::cmp_equal(so_far.history.size() - 1, so_far.generated);
  if (rules.forced_first && so_far.history.size() == 1) force(logits, {{*rules.forced_first}});
  if (!rules.forced_last.empty() && so_far.generated == so_far.max_new_tokens - 1)
    force(logits, rules.forced_last);
  if (rules.decay_factor != 1 && so_far.generated > rules.decay_start) {
    const double gain =
        std::pow(rules.decay_factor, static_cast<double>(so_far.generated - rules.decay_start)) - 1;
    for_each_seen(logits, end_tokens, [&](float& logit, float) {
      if (std::isfinite(logit)) logit += std::abs(logit) * static_cast<float>(gain);
    });
  }
  forbid(logits, rules.suppressed);
  if (so_far.generated == (rules.forced_first && from_one_token ? 1 : 0))
    forbid(logits, rules.suppressed_first);
}

}  // namespace

void change_logits(std::span<float> logits, const SamplingOptions& options,
                   std::span<const std::int32_t> end_tokens, const AnswerSoFar& so_far) {
  const TokenRules* const rules = options.rules.get();
  if (rules) add_biases(logits, rules->sequence_biases, so_far.history);
  penalize(logits, options, so_far);
  forbid_repeated_ngrams(logits, options.no_repeat_ngram_size, so_far.history);
  if (rules) add_biases(logits, rules->bad_words, so_far.history);
  forbid_end_tokens(logits, options, end_tokens, so_far);
  if (rules) apply_rules(logits, *rules, end_tokens, so_far);
}

}  // namespace ocellus::engine
