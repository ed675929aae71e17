// An answer as it is being made.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ocellus/error.h"
#include "ocellus/export.h"

namespace ocellus {

namespace vision {
class AnswerChannel;
}

// kStop: an end token or a stop text. kLength: the token limit or the end of the context.
enum class FinishReason : std::uint8_t { kStop, kLength };

struct AnswerStats {
  std::int64_t prompt_tokens = 0;  // all of them, images included
  std::int64_t image_tokens = 0;   // of these, the images'
  // What the images would take without the usual bound (kUsualImageTokens); where it did not act,
  // image_tokens.
  std::int64_t unbounded_image_tokens = 0;
  std::int64_t cached_tokens = 0;     // of all, those whose keys and values were known already
  std::int64_t generated_tokens = 0;  // without the end token, thoughts included
  std::int64_t thought_tokens = 0;    // of these, the thoughts', with the marks around them
  std::int64_t drafted_tokens = 0;    // proposed from the text so far and tried ahead
  std::int64_t accepted_tokens = 0;   // of these, the ones that saved a step of their own
  FinishReason finish = FinishReason::kStop;
  // With AskOptions::score: the natural logarithm of the text's probability, an end token included.
  double log_probability = 0;
  double queue_seconds = 0;        // waiting in the mailbox
  double fetch_seconds = 0;        // reading or downloading the images
  double image_seconds = 0;        // fetching, decoding and preprocessing them
  double tower_seconds = 0;        // image encoder and projector
  double first_token_seconds = 0;  // from ask() to the first token
  double total_seconds = 0;
};

// A token and its log-probability: natural logarithm, by the model's own logits before penalties,
// temperature and filters.
struct TokenLogprob {
  std::int32_t id = 0;
  float logprob = 0;
  std::string text;  // the token's bytes as they enter the text; may be part of a character
};

// One generated token, where AskOptions::logprobs asks for them.
struct TokenInfo {
  TokenLogprob token;
  std::vector<TokenLogprob> top;  // AskOptions::top_logprobs, likeliest first
};

// Text, and the tokens that were chosen since the piece before. A character that takes several
// tokens comes with its last one; text that may be the beginning of a stop text waits, its tokens
// do not. What a model thinks aloud before it answers, <think> ... </think>, is told apart where
// its chat template knows thoughts; stop texts are looked for in the answer only.
struct AnswerPiece {
  std::string text;               // valid UTF-8; may be empty
  std::vector<std::int32_t> ids;  // of the tokens, always
  std::vector<TokenInfo> tokens;  // one for each id, where logprobs were asked for
  std::string thoughts = {};      // before `text`; valid UTF-8
};

struct Answer {
  std::string text;
  std::vector<std::int32_t> ids;
  std::vector<TokenInfo> tokens;  // where logprobs were asked for
  AnswerStats stats;
  std::string thoughts = {};
};

// What try_next() and next_for() found.
struct StreamPoll {
  enum class State : std::uint8_t { kPiece, kPending /* not yet */, kEnd /* complete */ };
  State state = State::kPending;
  AnswerPiece piece = {};  // of kPiece
};

// One thread at a time reads; cancel() may come from any thread. Dropping the stream cancels: the
// work stops within a token, and nobody else's answer is affected. A reader that leaves more than a
// MiB unread loses its answer (kCancelled).
class OCELLUS_API AnswerStream {
 public:
  explicit AnswerStream(std::shared_ptr<vision::AnswerChannel> channel);
  AnswerStream(AnswerStream&&) noexcept;
  AnswerStream& operator=(AnswerStream&&) noexcept;
  ~AnswerStream();

  // Waits for the next piece. Nothing: the answer is complete. After an error or the end, the same
  // again.
  Result<std::optional<AnswerPiece>> next();
  // The same, for so long at most; try_next() does not wait at all.
  Result<StreamPoll> next_for(std::chrono::milliseconds wait);
  Result<StreamPoll> try_next();
  // Called whenever try_next() has something new to give, the end included, and once at once: from
  // the worker's thread, so it must be short and must not throw. For readers that wait for several
  // things. It may be called until the stream is gone and the answer over.
  void on_change(std::function<void()> call);
  // Reads to the end.
  Result<Answer> wait();
  // What is known so far; complete once next() has given nothing.
  AnswerStats stats() const;
  void cancel() noexcept;

 private:
  std::shared_ptr<vision::AnswerChannel> channel_;
};

}  // namespace ocellus
