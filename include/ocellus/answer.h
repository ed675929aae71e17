// An answer as it is being made.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "ocellus/error.h"

namespace ocellus {

namespace vision {
class AnswerChannel;
}

enum class FinishReason : std::uint8_t { kStop /* end token or stop string */, kLength };

struct AnswerStats {
  std::int64_t prompt_tokens = 0;  // all of them, the picture's included
  std::int64_t image_tokens = 0;
  std::int64_t generated_tokens = 0;  // the end token, if it came, not included
  std::int64_t drafted_tokens = 0;    // guessed from the text so far and tried ahead
  std::int64_t accepted_tokens = 0;   // of these, the ones that saved a step of their own
  FinishReason finish = FinishReason::kStop;
  double queue_seconds = 0;        // waiting in the mailbox
  double image_seconds = 0;        // reading or downloading, decoding, preprocessing
  double tower_seconds = 0;        // image encoder and projector
  double first_token_seconds = 0;  // from ask() to the first token
  double total_seconds = 0;
};

struct Answer {
  std::string text;
  AnswerStats stats;
};

// One thread at a time reads; cancel() may come from any thread. Dropping the stream cancels: the
// work stops within a token, and nobody else's answer is affected.
class AnswerStream {
 public:
  explicit AnswerStream(std::shared_ptr<vision::AnswerChannel> channel);
  AnswerStream(AnswerStream&&) noexcept;
  AnswerStream& operator=(AnswerStream&&) noexcept;
  ~AnswerStream();

  // Waits for the next piece: valid UTF-8, never empty. Nothing: the answer is complete. After an
  // error or the end, the same again.
  Result<std::optional<std::string>> next();
  // Reads to the end.
  Result<Answer> wait();
  // What is known so far; complete once next() has given nothing.
  AnswerStats stats() const;
  void cancel() noexcept;

 private:
  std::shared_ptr<vision::AnswerChannel> channel_;
};

}  // namespace ocellus
