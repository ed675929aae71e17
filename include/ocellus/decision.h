// Questions with given answers, decided as probabilities: no text is generated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ocellus/message.h"

namespace ocellus {

struct DecisionOption {
  std::string value;             // what the model would have to answer
  std::string description = {};  // shown beside it in the question
};

// kPredicate: whether the instructions are true of the input, without options. kChoice: which of 2
// to 255 options. kScore: how high, on 2 to 255 levels, the lowest first.
struct DecisionQuestion {
  enum class Kind : std::uint8_t { kPredicate, kChoice, kScore };
  Kind kind = Kind::kPredicate;
  std::vector<Part> instructions = {};
  std::vector<DecisionOption> options = {};
};

// An option's probability is that of the model answering exactly its text, as a share of all
// options'. The model was not trained to be right about it: compare, don't trust.
struct DecisionAnswer {
  std::vector<double> probabilities;  // of the options, in order; of a predicate: true, false
  std::size_t choice = 0;             // the likeliest; the first of equals
  double confidence = 0;              // 1 less the entropy, as a share of what it can be
  double score = 0;                   // of kScore: the mean level, the lowest is 0
};

struct Decision {
  std::vector<DecisionAnswer> answers;  // in the order of the questions
  std::int64_t prompt_tokens = 0;       // of all prompts, those that were shared included
  std::int64_t cached_tokens = 0;       // of these, the shared ones
};

}  // namespace ocellus
