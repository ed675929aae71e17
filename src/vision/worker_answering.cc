// From the engine's tokens to the reader's pieces.
#include <cmath>

#include "engine/logprobs.h"
#include "vision/vision_worker.h"

namespace ocellus::vision {
void VisionState::handle(engine::Engine::Events events) {
  if (!model_->intact()) return;
  for (engine::SequenceEvent& event : events) handle(event);
}

AnswerPiece VisionState::piece_of(Active& active, const engine::SequenceEvent& event) {
  const auto named = [&](const engine::TokenScore& score) {
    return TokenLogprob{score.id, score.logprob, active.detokenizer.bytes_of(score.id)};
  };
  AnswerPiece piece;
  piece.ids = {*event.token};
  if (event.scores) {
    TokenInfo info{.token = named(event.scores->token), .top = {}};
    for (const engine::TokenScore& score : event.scores->top) info.top.push_back(named(score));
    piece.tokens = {std::move(info)};
  }
  const bool thought = active.thoughts.thinking();
  auto said = active.thoughts.push(active.detokenizer.push(*event.token));
  if (thought || active.thoughts.thinking()) ++active.stats.thought_tokens;
  piece.thoughts = std::move(said.thoughts);
  piece.text = active.stops.push(said.answer);
  return piece;
}

void VisionState::handle(engine::SequenceEvent& event) {
  const auto found = active_.find(event.sequence);
  if (found == active_.end()) return;
  Active& active = found->second;
  AnswerChannel& channel = *active.question.answer;
  const auto give_up = [&](Error error) {
    channel.fail(std::move(error));
    active_.erase(found);
  };
  if (event.error) return give_up(channel.stop_reason().value_or(*std::move(event.error)));
  if (event.prefilled) {
    active.stats.cached_tokens = event.shared;
    if (active.question.options.progress)
      active.question.options.progress(
          {Stage::kPrefill, *event.prefilled, active.stats.prompt_tokens});
  }
  if (active.question.options.score) return add_score(found, event);
  active.stats.drafted_tokens += event.drafted;
  active.stats.accepted_tokens += event.accepted ? 1 : 0;
  const bool end_token = event.end == engine::SequenceEnd::kEndToken;
  if (event.token && !end_token) {
    if (active.stats.generated_tokens++ == 0)
      active.stats.first_token_seconds = seconds_since(active.question.asked_at);
    if (!channel.push(piece_of(active, event))) {
      model_->engine().cancel(event.sequence);
      return give_up({ErrorCode::kCancelled, "the answer was not read"});
    }
  }
  if (active.stops.stopped()) {
    model_->engine().cancel(event.sequence);
    end(found);
  } else if (event.end) {
    const bool whole = event.end == engine::SequenceEnd::kWhole;
    active.stats.finish = end_token || whole ? FinishReason::kStop : FinishReason::kLength;
    end(found);
  }
}

// The probability of one more token of a text that is scored; behind it, of an end.
void VisionState::add_score(ActiveMap::iterator active, const engine::SequenceEvent& event) {
  if (!event.token) return;
  Active& a = active->second;
  const auto scores = [&](std::int32_t id) {
    return static_cast<double>(engine::score_token(event.logits, id, 0).token.logprob);
  };
  if (!event.end) {
    a.stats.log_probability += scores(*event.token);
    return;
  }
  double ends = 0;
  for (const std::int32_t id : model_->end_tokens()) ends += std::exp(scores(id));
  if (!model_->end_tokens().empty()) a.stats.log_probability += std::log(ends);
  model_->engine().cancel(event.sequence);
  end(active);
}

// The last pieces, the numbers, and the end of the stream.
void VisionState::end(ActiveMap::iterator active) {
  Active& a = active->second;
  AnswerPiece last;
  auto said = a.thoughts.push(a.detokenizer.finish());
  auto held = a.thoughts.finish();
  last.thoughts = said.thoughts + held.thoughts;
  last.text = a.stops.push(said.answer + held.answer);
  last.text += a.stops.finish();
  a.question.answer->push(std::move(last));
  if (a.stats.generated_tokens == 0)
    a.stats.first_token_seconds = seconds_since(a.question.asked_at);
  a.stats.total_seconds = seconds_since(a.question.asked_at);
  a.question.answer->finish(a.stats);
  active_.erase(active);
}

}  // namespace ocellus::vision
