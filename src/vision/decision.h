// From a question with given answers to prompts whose answers are scored, and back to
// probabilities.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ocellus/decision.h"
#include "ocellus/error.h"

namespace ocellus::vision {

// kInvalidArgument naming `what`: too few or too many options, one that is empty or there twice.
Status check_question(const DecisionQuestion& question, const std::string& what);

// How a question is asked. The input comes first, so that all questions share it.
struct DecisionPrompt {
  struct Continuation {
    std::string text;
    std::size_t option;  // whose spelling it is
  };
  std::vector<Message> messages;
  std::vector<Continuation> continuations;
};
DecisionPrompt decision_prompt(const std::vector<Message>& input, const DecisionQuestion& question);

// `log_probabilities`: of the continuations.
DecisionAnswer weigh(const DecisionQuestion& question, const DecisionPrompt& prompt,
                     std::span<const double> log_probabilities);

}  // namespace ocellus::vision
