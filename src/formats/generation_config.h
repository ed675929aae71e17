// generation_config.json: how a checkpoint wants its answers generated. Reference: transformers 5,
// generation/configuration_utils.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::formats {

// Every key that can change an answer, with the reference's default.
struct GenerationConfig {
  using Ids = std::vector<std::int64_t>;

  bool do_sample = false;
  // These act only where tokens are drawn.
  double temperature = 1;
  double top_h = 1;                           // 1: off
  std::int64_t top_k = 50;                    // 0: off
  double top_p = 1;                           // 1: off
  double min_p = 0;                           // 0: off
  double typical_p = 1;                       // 1: off
  double epsilon_cutoff = 0, eta_cutoff = 0;  // 0: off
  // These act always.
  double repetition_penalty = 1;
  std::int64_t no_repeat_ngram_size = 0;  // 0: off
  std::vector<std::pair<Ids, double>> sequence_bias = {};
  std::vector<Ids> bad_words = {};
  std::int64_t min_length = 0, min_new_tokens = 0;
  Ids suppress_tokens = {}, begin_suppress_tokens = {};
  std::optional<std::int64_t> forced_bos_token = {};
  Ids forced_eos_tokens = {};
  std::int64_t decay_start = 0;     // exponential_decay_length_penalty
  double decay_factor = 1;          // 1: off
  std::int64_t max_new_tokens = 0;  // 0: not given
  Ids eos_tokens = {};              // empty: not given
  // The first key that asks for another way of generating than one token after the other, as
  // "num_beams: expected 1, found 4". Empty: none does.
  std::string unsupported = {};

  bool operator==(const GenerationConfig&) const = default;
};

// kBadModel naming `file`, the key, expected and found.
Result<GenerationConfig> parse_generation_config(std::string_view text, std::string_view file);

}  // namespace ocellus::formats
