// Model::decide: the scores of all answers to all questions, a few at a time.
#include <deque>

#include "base/result.h"
#include "ocellus/model.h"
#include "vision/decision.h"
#include "vision/guard.h"

namespace ocellus {
namespace {

// Scored at the same time: as many as make a step of the engine worth while.
constexpr std::size_t kTogether = 8;

struct Waiting {
  AnswerStream stream;
  double* log_probability;
};

Status finish_first(std::deque<Waiting>& waiting, Decision& decision) {
  OCELLUS_ASSIGN_OR_RETURN(const Answer answer, waiting.front().stream.wait());
  *waiting.front().log_probability = answer.stats.log_probability;
  decision.prompt_tokens += answer.stats.prompt_tokens;
  decision.cached_tokens += answer.stats.cached_tokens;
  waiting.pop_front();
  return {};
}

Result<Decision> decide(Model& model, const std::vector<Message>& input,
                        const std::vector<DecisionQuestion>& questions, const AskOptions& asked) {
  Decision decision;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    OCELLUS_RETURN_IF_ERROR(
        vision::check_question(questions[i], "questions[" + std::to_string(i) + "]"));
  }
  AskOptions options;
  options.deadline = asked.deadline;
  for (const DecisionQuestion& question : questions) {
    const vision::DecisionPrompt prompt = vision::decision_prompt(input, question);
    std::vector<double> scores(prompt.continuations.size());
    std::deque<Waiting> waiting;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      options.score = prompt.continuations[i].text;
      if (waiting.size() >= kTogether) OCELLUS_RETURN_IF_ERROR(finish_first(waiting, decision));
      auto stream = model.ask(prompt.messages, options);
      while (!stream && stream.error().code == ErrorCode::kUnavailable && !waiting.empty()) {
        // The mailbox is full, of our own scores at least.
        OCELLUS_RETURN_IF_ERROR(finish_first(waiting, decision));
        stream = model.ask(prompt.messages, options);
      }
      if (!stream) return std::unexpected(std::move(stream).error());
      waiting.push_back({*std::move(stream), &scores[i]});
      // The first leaves what the others share.
      if (i == 0) OCELLUS_RETURN_IF_ERROR(finish_first(waiting, decision));
    }
    while (!waiting.empty()) OCELLUS_RETURN_IF_ERROR(finish_first(waiting, decision));
    decision.answers.push_back(vision::weigh(question, prompt, scores));
  }
  return decision;
}

}  // namespace

Result<Decision> Model::decide(const std::vector<Message>& input,
                               const std::vector<DecisionQuestion>& questions,
                               const AskOptions& options) {
  return vision::guarded(
      [&]() -> Result<Decision> { return ocellus::decide(*this, input, questions, options); });
}

}  // namespace ocellus
