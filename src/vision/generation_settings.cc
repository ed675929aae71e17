#include "vision/generation_settings.h"

#include <algorithm>
#include <limits>

#include "base/result.h"

namespace ocellus::vision {
namespace {

std::vector<std::int32_t> narrow(std::span<const std::int64_t> ids) {
  std::vector<std::int32_t> narrowed;
  for (const std::int64_t id : ids) narrowed.push_back(static_cast<std::int32_t>(id));
  return narrowed;
}

engine::TokenRules token_rules(const formats::GenerationConfig& config,
                               std::span<const std::int32_t> ends) {
  engine::TokenRules rules;
  for (const auto& [ids, bias] : config.sequence_bias)
    rules.sequence_biases.push_back({narrow(ids), static_cast<float>(bias)});
  for (const auto& word : config.bad_words) {
    std::vector<std::int32_t> ids = narrow(word);
    // An end token alone is no word, as in the reference.
    if (ids.size() == 1 && std::ranges::find(ends, ids.front()) != ends.end()) continue;
    rules.bad_words.push_back({std::move(ids), -std::numeric_limits<float>::infinity()});
  }
  rules.suppressed = narrow(config.suppress_tokens);
  rules.suppressed_first = narrow(config.begin_suppress_tokens);
  if (config.forced_bos_token)
    rules.forced_first = static_cast<std::int32_t>(*config.forced_bos_token);
  rules.forced_last = narrow(config.forced_eos_tokens);
  rules.min_length = config.min_length;
  rules.decay_start = config.decay_start;
  rules.decay_factor = config.decay_factor;
  return rules;
}

}  // namespace

Result<engine::SamplingOptions> sampling_options(const formats::GenerationConfig& config,
                                                 std::span<const std::int32_t> ends,
                                                 std::int64_t vocabulary) {
  engine::SamplingOptions options;
  if (config.do_sample) {
    options.top_h = static_cast<float>(config.top_h);
    options.top_k = config.top_k;
    options.top_p = static_cast<float>(config.top_p);
    options.min_p = static_cast<float>(config.min_p);
    options.typical_p = static_cast<float>(config.typical_p);
    options.epsilon_cutoff = static_cast<float>(config.epsilon_cutoff);
    options.eta_cutoff = static_cast<float>(config.eta_cutoff);
  }
  options.repetition_penalty = static_cast<float>(config.repetition_penalty);
  options.no_repeat_ngram_size = config.no_repeat_ngram_size;
  options.min_tokens = config.min_new_tokens;
  options.rules = std::make_shared<const engine::TokenRules>(token_rules(config, ends));
  OCELLUS_RETURN_IF_ERROR(engine::check(options, vocabulary));
  return options;
}

}  // namespace ocellus::vision
