#include "vision/decision.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/result.h"

namespace ocellus::vision {
namespace {

using Kind = DecisionQuestion::Kind;

constexpr std::size_t kMaxOptions = 255;
constexpr std::size_t kMaxOptionBytes = 1024;

std::string listed(const DecisionQuestion& question) {
  std::string text;
  for (std::size_t i = 0; i < question.options.size(); ++i) {
    const DecisionOption& option = question.options[i];
    text += "\n- " + option.value;
    if (!option.description.empty()) text += ": " + option.description;
  }
  return text;
}

std::string cue(const DecisionQuestion& question) {
  switch (question.kind) {
    case Kind::kPredicate:
      return listed(question) + "\nAnswer yes or no.";
    case Kind::kChoice:
      return listed(question) + "\nAnswer with one of these only.";
    case Kind::kScore:
      return "\nThe levels, from the lowest to the highest:" + listed(question) +
             "\nAnswer with one level only.";
  }
  return {};
}

}  // namespace

Status check_question(const DecisionQuestion& question, const std::string& what) {
  const auto fail = [&](std::string_view why) {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: {}", what, why);
  };
  if (question.instructions.empty()) return fail("instructions: expected a text");
  if (question.kind == Kind::kPredicate) return {};
  if (question.options.size() < 2 || question.options.size() > kMaxOptions)
    return fail("expected 2 to 255 options, found " + std::to_string(question.options.size()));
  std::set<std::string_view> seen;
  for (const DecisionOption& option : question.options) {
    if (option.value.empty() || option.value.size() > kMaxOptionBytes)
      return fail("expected options of 1 to 1024 bytes");
    if (!seen.insert(option.value).second) return fail("an option is there twice");
  }
  return {};
}

DecisionPrompt decision_prompt(const std::vector<Message>& input,
                               const DecisionQuestion& question) {
  DecisionPrompt prompt{.messages = input, .continuations = {}};
  if (prompt.messages.empty() || prompt.messages.back().role != Role::kUser)
    prompt.messages.push_back({Role::kUser, {}});
  std::vector<Part>& parts = prompt.messages.back().parts;
  const bool after_text = !parts.empty() && std::holds_alternative<std::string>(parts.back());
  if (after_text) std::get<std::string>(parts.back()) += "\n";
  parts.insert(parts.end(), question.instructions.begin(), question.instructions.end());
  const std::string end = cue(question);
  if (auto* const text = std::get_if<std::string>(&parts.back())) {
    *text += end;
  } else {
    parts.emplace_back(end);
  }
  if (question.kind == Kind::kPredicate) {
    prompt.continuations = {{"Yes", 0}, {"yes", 0}, {"No", 1}, {"no", 1}};
  } else {
    for (std::size_t i = 0; i < question.options.size(); ++i)
      prompt.continuations.push_back({question.options[i].value, i});
  }
  return prompt;
}

DecisionAnswer weigh(const DecisionQuestion& question, const DecisionPrompt& prompt,
                     std::span<const double> log_probabilities) {
  const std::size_t options = question.kind == Kind::kPredicate ? 2 : question.options.size();
  DecisionAnswer answer;
  answer.probabilities.assign(options, 0);
  const double highest = std::ranges::max(log_probabilities);
  double total = 0;
  for (std::size_t i = 0; i < prompt.continuations.size(); ++i) {
    // None is possible: all are equal.
    const double weight = std::isfinite(highest) ? std::exp(log_probabilities[i] - highest) : 1;
    answer.probabilities[prompt.continuations[i].option] += weight;
    total += weight;
  }
  double entropy = 0;
  for (std::size_t i = 0; i < options; ++i) {
    double& p = answer.probabilities[i];
    p /= total;
    if (p > 0) entropy -= p * std::log(p);
    answer.score += p * static_cast<double>(i);
  }
  const auto best = std::ranges::max_element(answer.probabilities);
  answer.choice = static_cast<std::size_t>(best - answer.probabilities.begin());
  answer.confidence = std::clamp(1 - entropy / std::log(static_cast<double>(options)), 0.0, 1.0);
  return answer;
}

}  // namespace ocellus::vision
