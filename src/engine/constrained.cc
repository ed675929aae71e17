// Answers that are held to a grammar: which token may come, and how to end in time.
#include <algorithm>

#include "base/result.h"
#include "engine/engine.h"

namespace ocellus::engine {

// Whatever is chosen later, the shortest end must fit into the context.
Status Engine::check_constraint(const Sequence& sequence) const {
  text::TokenConstraint* const constraint = sequence.request.constraint.get();
  if (constraint == nullptr) return {};
  const std::int64_t room = options_.context_tokens - sequence.length();
  const std::int64_t least = std::ssize(constraint->closing());
  if (least <= room) return {};
  return base::make_error(ErrorCode::kContextFull,
                          "the shortest answer of the required form takes {} tokens, the context "
                          "of {} has {} left",
                          least, options_.context_tokens, room);
}

// The sampler's choice, unless the answer could not be ended in time after it: then the next token
// of a shortest end, which is followed from there on.
Result<std::int32_t> Engine::choose_allowed(Sequence& sequence, std::span<float> logits) {
  text::TokenConstraint& constraint = *sequence.request.constraint;
  if (sequence.closing.empty()) {
    auto chosen = sequence.sampler.sample(logits, sequence.ids, sequence.generated, constraint);
    if (!chosen) return std::unexpected(std::move(chosen).error());
    const auto& ends = sequence.request.end_tokens;
    const bool ends_here = *chosen && std::ranges::find(ends, **chosen) != ends.end();
    if (ends_here) return **chosen;
    // After this token.
    const std::int64_t left = std::min(sequence.request.max_new_tokens - sequence.generated,
                                       options_.context_tokens - sequence.length()) -
                              1;
    const auto fits = [&](std::int32_t token) {
      // A token is a byte at least, so that most need not be counted.
      return std::cmp_less_equal(constraint.bytes_to_end_after(token), left) ||
             std::ssize(constraint.closing_after(token)) <= left;
    };
    if (*chosen && fits(**chosen)) return **chosen;
    sequence.closing = constraint.closing();
    sequence.cut_short = chosen->has_value();
    if (sequence.closing.empty()) {
      if (*chosen && constraint.may_end() && !ends.empty()) return ends.front();
      return base::make_error(ErrorCode::kInternal,
                              "no token is left that the answer may go on with");
    }
  }
  const std::int32_t token = sequence.closing.front();
  sequence.closing.erase(sequence.closing.begin());
  return token;
}

// After the token that was added last. Nothing: the answer goes on.
std::optional<SequenceEnd> Engine::advance_constraint(Sequence& sequence) const {
  text::TokenConstraint& constraint = *sequence.request.constraint;
  constraint.accept(sequence.ids.back());
  const bool closed = sequence.cut_short && sequence.closing.empty();
  if (closed && constraint.may_end()) return SequenceEnd::kLength;
  if (constraint.must_end()) return SequenceEnd::kWhole;
  const bool out_of_tokens = sequence.generated >= sequence.request.max_new_tokens;
  if (out_of_tokens && sequence.closing.empty() && constraint.may_end())
    return SequenceEnd::kLength;
  if (sequence.length() >= options_.context_tokens) return SequenceEnd::kLength;
  return std::nullopt;
}

}  // namespace ocellus::engine
