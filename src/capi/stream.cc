// Questions and answers of the C API.
#include <algorithm>
#include <chrono>

#include "capi/handles.h"

using namespace ocellus;        // NOLINT: the functions below are C's
using namespace ocellus::capi;  // NOLINT

static_assert(OCELLUS_FINISH_STOP == static_cast<int>(FinishReason::kStop) &&
              OCELLUS_FINISH_LENGTH == static_cast<int>(FinishReason::kLength));

namespace {

// Between the worker, which tells of progress, and the stream, after whose end the user's data may
// be gone.
class ProgressTeller {
 public:
  ProgressTeller(ocellus_progress_callback callback, void* data)
      : callback_(callback), data_(data) {}

  void tell(const StageProgress& progress) {
    const std::lock_guard lock(mutex_);
    if (callback_ == nullptr) return;
    callback_(data_, static_cast<ocellus_stage>(progress.stage), progress.done, progress.total);
  }
  void end() {
    const std::lock_guard lock(mutex_);
    callback_ = nullptr;
  }

 private:
  std::mutex mutex_;
  ocellus_progress_callback callback_;  // guarded by mutex_; null once the stream is gone
  void* const data_;
};

// Gives the same texts and numbers in C's structs; they point into `piece` and into each other.
class PieceView {
 public:
  ocellus_piece view(AnswerPiece piece) {
    piece_ = std::move(piece);
    tokens_.clear();
    top_.clear();
    std::size_t count = 0;
    for (const TokenInfo& token : piece_.tokens) count += token.top.size();
    top_.reserve(count);  // tokens_ points into it
    for (const TokenInfo& token : piece_.tokens) {
      const std::size_t begin = top_.size();
      for (const TokenLogprob& other : token.top) top_.push_back(to_c(other));
      tokens_.push_back(to_c(token.token));
      tokens_.back().top = token.top.empty() ? nullptr : top_.data() + begin;
      tokens_.back().top_count = token.top.size();
    }
    ocellus_piece out = OCELLUS_PIECE_INIT;
    out.state = OCELLUS_STATE_PIECE;
    out.text = piece_.text.c_str();
    out.text_bytes = piece_.text.size();
    out.ids = piece_.ids.data();
    out.ids_count = piece_.ids.size();
    out.tokens = tokens_.empty() ? nullptr : tokens_.data();
    out.tokens_count = tokens_.size();
    out.thoughts = piece_.thoughts.c_str();
    out.thoughts_bytes = piece_.thoughts.size();
    return out;
  }

 private:
  static ocellus_token to_c(const TokenLogprob& token) {
    return {token.id, token.logprob, token.text.c_str(), token.text.size(), nullptr, 0};
  }

  AnswerPiece piece_;
  std::vector<ocellus_token> tokens_, top_;
};

ocellus_piece empty_piece(ocellus_state state) {
  ocellus_piece piece = OCELLUS_PIECE_INIT;
  piece.state = state;
  piece.text = "";
  piece.thoughts = "";
  return piece;
}

}  // namespace

struct ocellus_stream {
  AnswerStream stream;
  std::shared_ptr<ProgressTeller> progress;  // null where nobody is told
  PieceView piece = {};

  ocellus_stream(std::pair<AnswerStream, std::shared_ptr<ProgressTeller>> made)
      : stream(std::move(made.first)), progress(std::move(made.second)) {}
  ~ocellus_stream() {
    stream.cancel();
    if (progress) progress->end();
  }
};

namespace {

// `queue`: from options to a stream.
ocellus_error* ask(ocellus_model* model, const ocellus_ask_options* given, ocellus_stream** stream,
                   auto&& queue) {
  using Made = std::pair<AnswerStream, std::shared_ptr<ProgressTeller>>;
  return make_handle(stream, "stream", [&]() -> Result<Made> {
    if (Status there = require(model, "model"); !there) return std::unexpected(there.error());
    auto options = read_ask_options(given);
    if (!options) return std::unexpected(std::move(options).error());
    std::shared_ptr<ProgressTeller> teller;
    // Read again: the options of C++ cannot say that the data is gone.
    const auto read =
        read_options(given, ocellus_ask_options(OCELLUS_ASK_OPTIONS_INIT), "ocellus_ask_options");
    if (read->progress != nullptr) {
      teller = std::make_shared<ProgressTeller>(read->progress, read->progress_data);
      options->progress = [teller](const StageProgress& progress) { teller->tell(progress); };
    }
    Result<AnswerStream> asked = queue(*std::move(options));
    if (!asked) {
      if (teller) teller->end();
      return std::unexpected(std::move(asked).error());
    }
    return Made(*std::move(asked), std::move(teller));
  });
}

Status read_piece(ocellus_stream* stream, std::int64_t wait_ms, ocellus_piece& out) {
  if (wait_ms < 0) {
    auto piece = stream->stream.next();
    if (!piece) return std::unexpected(std::move(piece).error());
    out = *piece ? stream->piece.view(**std::move(piece)) : empty_piece(OCELLUS_STATE_END);
    return {};
  }
  // Longer is for ever, and does not overflow a clock.
  constexpr std::int64_t kMaxWait = std::int64_t{365} * 24 * 3600 * 1000;
  auto poll = wait_ms == 0
                  ? stream->stream.try_next()
                  : stream->stream.next_for(std::chrono::milliseconds(std::min(wait_ms, kMaxWait)));
  if (!poll) return std::unexpected(std::move(poll).error());
  switch (poll->state) {
    case StreamPoll::State::kPiece:
      out = stream->piece.view(std::move(poll->piece));
      break;
    case StreamPoll::State::kPending:
      out = empty_piece(OCELLUS_STATE_PENDING);
      break;
    case StreamPoll::State::kEnd:
      out = empty_piece(OCELLUS_STATE_END);
      break;
  }
  return {};
}

}  // namespace

ocellus_error* ocellus_model_ask(ocellus_model* model, const ocellus_messages* messages,
                                 const ocellus_ask_options* options, ocellus_stream** stream) {
  return ask(model, options, stream, [&](AskOptions read) -> Result<AnswerStream> {
    if (Status given = require(messages, "messages"); !given) return std::unexpected(given.error());
    return model->model.ask(messages->messages, std::move(read));
  });
}

ocellus_error* ocellus_model_ask_picture(ocellus_model* model, const char* path_or_url,
                                         const char* question, const ocellus_ask_options* options,
                                         ocellus_stream** stream) {
  return ask(model, options, stream, [&](AskOptions read) -> Result<AnswerStream> {
    auto picture = read_picture(path_or_url, "path_or_url");
    if (!picture) return std::unexpected(std::move(picture).error());
    if (Status given = require(question, "question"); !given) return std::unexpected(given.error());
    return model->model.ask(*std::move(picture), question, std::move(read));
  });
}

ocellus_error* ocellus_stream_next(ocellus_stream* stream, int64_t wait_ms, ocellus_piece* piece) {
  return guarded([&]() -> Status {
    if (Status given = require(stream, "stream"); !given) return given;
    // Before anything is read that could not be handed over.
    if (Status given = require(piece, "piece"); !given) return given;
    if (Status given = check_struct_size(piece->struct_size, sizeof *piece, "piece"); !given)
      return given;
    ocellus_piece found;
    if (Status read = read_piece(stream, wait_ms, found); !read) return read;
    return write_struct(found, piece, "piece");
  });
}

ocellus_error* ocellus_stream_read(ocellus_stream* stream, ocellus_piece_callback callback,
                                   void* user_data) {
  return guarded([&]() -> Status {
    if (Status given = require(stream, "stream"); !given) return given;
    if (callback == nullptr) return invalid("callback: expected a function, found NULL");
    while (true) {
      ocellus_piece piece;
      if (Status read = read_piece(stream, -1, piece); !read) return read;
      if (piece.state == OCELLUS_STATE_END) return {};
      if (callback(user_data, &piece) != 0) {
        stream->stream.cancel();
        return std::unexpected(Error{ErrorCode::kCancelled, "the callback stopped the answer"});
      }
    }
  });
}

void ocellus_stream_cancel(ocellus_stream* stream) {
  if (stream != nullptr) stream->stream.cancel();
}

void ocellus_stream_free(ocellus_stream* stream) { delete stream; }

ocellus_error* ocellus_stream_get_stats(const ocellus_stream* stream, ocellus_stats* stats) {
  return guarded([&]() -> Status {
    if (Status given = require(stream, "stream"); !given) return given;
    const AnswerStats found = stream->stream.stats();
    ocellus_stats filled = OCELLUS_STATS_INIT;
    filled.prompt_tokens = found.prompt_tokens;
    filled.image_tokens = found.image_tokens;
    filled.generated_tokens = found.generated_tokens;
    filled.drafted_tokens = found.drafted_tokens;
    filled.accepted_tokens = found.accepted_tokens;
    filled.finish = static_cast<std::int32_t>(found.finish);
    filled.queue_seconds = found.queue_seconds;
    filled.fetch_seconds = found.fetch_seconds;
    filled.image_seconds = found.image_seconds;
    filled.tower_seconds = found.tower_seconds;
    filled.first_token_seconds = found.first_token_seconds;
    filled.total_seconds = found.total_seconds;
    filled.cached_tokens = found.cached_tokens;
    filled.unbounded_image_tokens = found.unbounded_image_tokens;
    filled.thought_tokens = found.thought_tokens;
    return write_struct(filled, stats, "stats");
  });
}
