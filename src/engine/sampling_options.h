// How a token is chosen.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::engine {

// The last id's logit changes by `bias` where the ids before it are the last ones of the history.
struct SequenceBias {
  std::vector<std::int32_t> ids;
  float bias = 0;  // minus infinity: never
};

// What a checkpoint wants of single tokens. Reference: transformers 5,
// generation/logits_process.py, under the names in brackets.
struct TokenRules {
  std::vector<SequenceBias> sequence_biases;   // (sequence_bias), before the repetition penalty
  std::vector<SequenceBias> bad_words;         // (bad_words_ids), after it
  std::vector<std::int32_t> suppressed;        // (suppress_tokens)
  std::vector<std::int32_t> suppressed_first;  // (begin_suppress_tokens): not as the first token
  std::optional<std::int32_t> forced_first;    // (forced_bos_token_id): after one token of prompt
  std::vector<std::int32_t> forced_last;       // (forced_eos_token_id): at the limit of tokens
  std::int64_t min_length = 0;                 // (min_length): prompt and answer
  std::int64_t decay_start = 0;                // (exponential_decay_length_penalty): after so many
  double decay_factor = 1;                     // tokens, end tokens gain by its powers; 1: off
};

struct SamplingOptions {
  float temperature = 0;                  // 0: greedy
  float top_h = 1;                        // 1: off; share of the entropy, of the first 100
  float top_p = 1;                        // 1: off
  std::int64_t top_k = 0;                 // 0: off
  float min_p = 0;                        // 0: off
  float typical_p = 1;                    // 1: off
  float epsilon_cutoff = 0;               // 0: off
  float eta_cutoff = 0;                   // 0: off
  float repetition_penalty = 1;           // 1: off; over prompt and answer
  std::int64_t no_repeat_ngram_size = 0;  // 0: off; over prompt and answer
  float presence_penalty = 0;             // subtracted from each token that the answer has
  float frequency_penalty = 0;            // subtracted for each time that it has it
  std::vector<std::pair<std::int32_t, float>> logit_bias = {};  // added to the logits of these ids
  std::int64_t min_tokens = 0;  // the answer has so many before an end token may be chosen
  bool ignore_eos = false;      // no end token is ever chosen
  std::uint64_t seed = 0;
  std::shared_ptr<const TokenRules> rules = {};  // null: none
};

// kInvalidArgument naming the field: NaN and everything outside its range is refused; so is a
// biased id outside [0, vocabulary).
Status check(const SamplingOptions& options, std::int64_t vocabulary);

}  // namespace ocellus::engine
