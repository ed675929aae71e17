#include "engine/sampling_options.h"

#include <span>

#include "base/result.h"

namespace ocellus::engine {
namespace {

using base::make_error;

constexpr std::size_t kMaxBiases = 1024;

Status check_ids(std::span<const std::int32_t> ids, const char* field, std::int64_t vocabulary) {
  for (const std::int32_t id : ids) {
    if (id >= 0 && id < vocabulary) continue;
    return make_error(ErrorCode::kInvalidArgument, "{}: expected ids from 0 to {}, found {}", field,
                      vocabulary - 1, id);
  }
  return {};
}

Status check_rules(const TokenRules& rules, std::int64_t vocabulary) {
  for (const SequenceBias& sequence : rules.sequence_biases)
    OCELLUS_RETURN_IF_ERROR(check_ids(sequence.ids, "sequence_bias", vocabulary));
  for (const SequenceBias& sequence : rules.bad_words)
    OCELLUS_RETURN_IF_ERROR(check_ids(sequence.ids, "bad_words_ids", vocabulary));
  if (rules.forced_first)
    OCELLUS_RETURN_IF_ERROR(check_ids({{*rules.forced_first}}, "forced_bos_token_id", vocabulary));
  return check_ids(rules.forced_last, "forced_eos_token_id", vocabulary);
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
  if (!(o.top_h > 0 && o.top_h <= 1)) return bad("top_h", "more than 0, at most 1", o.top_h);
  if (!(o.top_p > 0 && o.top_p <= 1)) return bad("top_p", "more than 0, at most 1", o.top_p);
  if (!(o.top_k >= 0)) return bad("top_k", "0 or more", static_cast<double>(o.top_k));
  if (!(o.min_p >= 0 && o.min_p <= 1)) return bad("min_p", "0 to 1", o.min_p);
  if (!(o.typical_p > 0 && o.typical_p <= 1))
    return bad("typical_p", "more than 0, at most 1", o.typical_p);
  if (!(o.epsilon_cutoff >= 0 && o.epsilon_cutoff < 1))
    return bad("epsilon_cutoff", "0 or more, less than 1", o.epsilon_cutoff);
  if (!(o.eta_cutoff >= 0 && o.eta_cutoff < 1))
    return bad("eta_cutoff", "0 or more, less than 1", o.eta_cutoff);
  if (!(o.repetition_penalty > 0 && o.repetition_penalty <= 100))
    return bad("repetition_penalty", "more than 0, at most 100", o.repetition_penalty);
  if (!(o.no_repeat_ngram_size >= 0))
    return bad("no_repeat_ngram_size", "0 or more", static_cast<double>(o.no_repeat_ngram_size));
  if (!(o.presence_penalty >= -2 && o.presence_penalty <= 2))
    return bad("presence_penalty", "-2 to 2", o.presence_penalty);
  if (!(o.frequency_penalty >= -2 && o.frequency_penalty <= 2))
    return bad("frequency_penalty", "-2 to 2", o.frequency_penalty);
  if (!(o.min_tokens >= 0))
    return bad("min_tokens", "0 or more", static_cast<double>(o.min_tokens));
  if (o.logit_bias.size() > kMaxBiases)
    return bad("logit_bias", "at most 1024 tokens", static_cast<double>(o.logit_bias.size()));
  for (const auto& [id, bias] : o.logit_bias) {
    OCELLUS_RETURN_IF_ERROR(check_ids({{id}}, "logit_bias", vocabulary));
    if (!(bias >= -100 && bias <= 100)) return bad("logit_bias", "-100 to 100", bias);
  }
  return o.rules ? check_rules(*o.rules, vocabulary) : Status{};
}

}  // namespace ocellus::engine
