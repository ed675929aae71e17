// One request being answered: its prompt, its tokens, its cache, its sampler.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/draft.h"
#include "engine/kv_pool.h"
#include "engine/sampler.h"
#include "models/prepared_image.h"
#include "tensor/view.h"

namespace ocellus::engine {

using models::ImageEmbeddings;

struct SessionRequest {
  // The prompt with one image token for every row of the embeddings, which take the places of the
  // image tokens in order.
  std::vector<std::int32_t> ids;
  std::int32_t image_token = -1;
  std::vector<std::shared_ptr<const ImageEmbeddings>> images;
  SamplingOptions sampling;
  std::int64_t max_new_tokens = 0;
  std::vector<std::int32_t> end_tokens;
  // For tracing: the row from which each token was chosen; the rows of all the prompt's positions.
  bool keep_logits = false, keep_prompt_logits = false;
  // For measuring: the answer begins with these tokens, whatever the logits say; an end token among
  // them does not end it.
  std::vector<std::int32_t> forced_tokens;
  std::function<bool()> stop;  // asked between layers and before each step
};

enum class SessionEnd : std::uint8_t { kEndToken, kLength };

// What one step brought for one session. One that brought several tokens gives as many events, in
// the order of the text; the last may be the end.
struct SessionEvent {
  std::int64_t session = 0;
  std::optional<std::int32_t> token;  // the token that was chosen; the end token too
  std::vector<float> logits;          // with keep_logits
  // With keep_prompt_logits: [rows, vocab_size], the prompt's positions that this step computed;
  // such an event may bring no token.
  std::vector<float> prompt_logits;
  std::int64_t drafted = 0;  // tokens that the step tried ahead; told by its first event
  bool ahead = false;        // not the step's first token: a draft was right
  std::optional<SessionEnd> end;
  std::optional<Error> error;  // the session is over
};

struct Session {
  std::int64_t id = 0;
  SessionRequest request;
  Sampler sampler;
  std::optional<Drafter> drafter;  // nothing: one token a step
  std::unique_ptr<KvSequence> cache;
  std::vector<std::int32_t> ids;  // prompt and answer
  std::int64_t computed = 0;      // positions whose keys and values are in the cache
  std::int64_t generated = 0;

  std::int64_t prompt_length() const { return static_cast<std::int64_t>(request.ids.size()); }

  Session(std::int64_t number, SessionRequest r, KvPool& pool)
      : id(number),
        request(std::move(r)),
        sampler(request.sampling),
        cache(std::make_unique<KvSequence>(pool)),
        ids(request.ids) {}
};

}  // namespace ocellus::engine
