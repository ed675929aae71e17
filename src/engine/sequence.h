// One request being answered: its prompt, its tokens, its cache, its sampler.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/block_key.h"
#include "engine/draft.h"
#include "engine/kv_pool.h"
#include "engine/logprobs.h"
#include "engine/recurrent_state.h"
#include "engine/sampler.h"
#include "models/family.h"
#include "text/constraint/token_constraint.h"

namespace ocellus::engine {

struct SequenceRequest {
  std::vector<models::Segment> prompt;
  SamplingOptions sampling;
  std::int64_t max_new_tokens = 0;
  std::vector<std::int32_t> end_tokens;
  // Log-probabilities of each token, with so many alternatives; nothing: none.
  std::optional<int> top_logprobs = {};
  // What the answer is held to; null: nothing. It ends when it is whole, and is closed in time where
  // its tokens run out; what must still come then goes beyond max_new_tokens.
  std::shared_ptr<text::TokenConstraint> constraint = {};
  // For tracing: the row from which each token was chosen; the rows of all the prompt's slots.
  bool keep_logits = false, keep_prompt_logits = false;
  // For measuring: the answer begins with these tokens, whatever the logits say; an end token among
  // them does not end it.
  std::vector<std::int32_t> forced_tokens = {};
  // They come several a step, as drafts that are always right.
  bool drafts_forced = false;
  std::function<bool()> stop = {};  // asked between layers and before each step
};

enum class SequenceEnd : std::uint8_t {
  kEndToken,
  kLength,
  kWhole,  // with a constraint: nothing may follow the last token, which belongs to the answer
};

// What one step brought for one sequence. One that brought several tokens gives as many events, in
// the order of the text; the last may be the end.
struct SequenceEvent {
  std::int64_t sequence = 0;
  std::optional<std::int32_t> token = {};      // the token that was chosen; the end token too
  std::optional<TokenScores> scores = {};      // with top_logprobs
  std::vector<float> logits = {};              // with keep_logits
  std::optional<std::int64_t> prefilled = {};  // rows of the prompt that are there by now
  std::int64_t shared = 0;                     // with prefilled: those that others had computed
  // With keep_prompt_logits: [rows, vocab_size], the prompt's rows that this step computed.
  std::vector<float> prompt_logits = {};
  std::int64_t drafted = 0;  // tokens that the step tried ahead; told by its first event
  bool accepted = false;     // not the step's first token: a draft was right
  std::optional<SequenceEnd> end = {};
  std::optional<Error> error = {};  // the sequence is over
};

// Owned by the engine's thread.
class Sequence {
 public:
  // `image_token` stands in the history for rows of images. `positions`: of the prompt's rows and
  // of the first generated token (Model::positions).
  Sequence(std::int64_t id, SequenceRequest request, std::int32_t image_token,
           std::vector<models::Position> positions, KvPool& pool);

  std::int64_t prompt_length() const { return prompt_length_; }
  std::int64_t length() const { return std::ssize(ids); }
  bool prefilled() const { return computed >= prompt_length_; }

  // Where a slot's row stands: [rows] from `first_slot` on, generated and drafted ones included.
  std::vector<models::Position> positions(std::int64_t first_slot, std::int64_t rows) const;

  // Calls visit(segment, first, begin, end) for each segment of an image that has rows in
  // [first_slot, first_slot + rows): the segment begins at slot `first` and has the slots [begin,
  // end) of these.
  template <typename Visit>
  void for_each_image(std::int64_t first_slot, std::int64_t rows, Visit&& visit) const {
    std::int64_t start = 0;
    for (const models::Segment& segment : request.prompt) {
      const std::int64_t begin = std::max(start, first_slot),
                         end = std::min(start + segment.size(), first_slot + rows);
      if (segment.image && begin < end) visit(segment, start, begin, end);
      start += segment.size();
    }
  }

  const std::int64_t id;
  SequenceRequest request;
  Sampler sampler;
  std::optional<Drafter> drafter;  // nothing: one token a step
  BlockTable cache;
  RecurrentState state;
  std::vector<std::int32_t> ids;  // prompt and answer
  std::vector<BlockKey> keys;     // of the prompt's full blocks; empty: nothing is shared
  std::int64_t computed = 0;      // slots whose keys and values are in the cache
  std::int64_t shared = 0;        // of these, those that others had computed
  std::size_t published = 0;      // blocks that others may share
  std::int64_t generated = 0;
  std::vector<std::int32_t> closing;  // the tokens that are left of a constrained answer's end
  bool cut_short = false;             // such an end was taken because tokens ran out

 private:
  std::int64_t prompt_length_ = 0;
  std::vector<models::Position> positions_;
};

}  // namespace ocellus::engine
