#include "vision/answer_channel.h"

#include <iterator>
#include <utility>

#include "vision/guard.h"

namespace ocellus::vision {
namespace {

std::size_t bytes_of(const AnswerPiece& piece) {
  std::size_t bytes =
      piece.text.size() + piece.thoughts.size() + piece.ids.size() * sizeof(std::int32_t);
  for (const TokenInfo& token : piece.tokens)
    bytes += sizeof(TokenInfo) + token.top.size() * sizeof(TokenLogprob);
  return bytes;
}

template <typename T>
void append(std::vector<T>& to, std::vector<T>&& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

Result<StreamPoll> AnswerChannel::next(runtime::Deadline until) {
  std::unique_lock lock(mutex_);
  const auto something = [&] { return done_ || buffered_ > 0; };
  if (until.is_none()) {
    changed_.wait(lock, something);
  } else {
    changed_.wait_until(lock, until.time(), something);
  }
  if (buffered_ > 0) {
    buffered_ = 0;
    return StreamPoll{StreamPoll::State::kPiece, std::exchange(buffer_, {})};
  }
  if (error_) return std::unexpected(*error_);
  return StreamPoll{done_ ? StreamPoll::State::kEnd : StreamPoll::State::kPending};
}

AnswerStats AnswerChannel::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

bool AnswerChannel::push(AnswerPiece piece) {
  const std::size_t bytes = bytes_of(piece);
  if (bytes == 0) return true;
  {
    const std::lock_guard lock(mutex_);
    if (done_ || buffered_ + bytes > kMaxBuffered) return false;
    buffered_ += bytes;
    buffer_.text += piece.text;
    buffer_.thoughts += piece.thoughts;
    append(buffer_.ids, std::move(piece.ids));
    append(buffer_.tokens, std::move(piece.tokens));
  }
  changed();
  return true;
}

void AnswerChannel::finish(const AnswerStats& stats) {
  {
    const std::lock_guard lock(mutex_);
    if (done_) return;
    stats_ = stats;
    done_ = true;
  }
  changed();
}

void AnswerChannel::fail(Error error) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (done_) return;
    error_ = std::move(error);
    done_ = true;
  }
  changed();
}

void AnswerChannel::on_change(std::function<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    told_ = call;
  }
  if (call) call();
}

void AnswerChannel::changed() {
  changed_.notify_all();
  std::function<void()> call;
  {
    const std::lock_guard lock(mutex_);
    call = told_;
  }
  if (call) call();
}

std::optional<Error> AnswerChannel::stop_reason() const {
  if (cancel_.cancelled()) return Error{ErrorCode::kCancelled, "the request was cancelled"};
  if (deadline_.expired())
    return Error{ErrorCode::kDeadlineExceeded, "the request's deadline has passed"};
  return std::nullopt;
}

}  // namespace ocellus::vision

namespace ocellus {

AnswerStream::AnswerStream(std::shared_ptr<vision::AnswerChannel> channel)
    : channel_(std::move(channel)) {}

AnswerStream::AnswerStream(AnswerStream&&) noexcept = default;

AnswerStream& AnswerStream::operator=(AnswerStream&& other) noexcept {
  if (this != &other) {
    cancel();
    channel_ = std::move(other.channel_);
  }
  return *this;
}

AnswerStream::~AnswerStream() { cancel(); }

Result<std::optional<AnswerPiece>> AnswerStream::next() {
  return vision::guarded([&]() -> Result<std::optional<AnswerPiece>> {
    auto found = channel_->next({});
    if (!found) return std::unexpected(std::move(found).error());
    if (found->state == StreamPoll::State::kEnd) return std::nullopt;
    return std::move(found->piece);
  });
}

Result<StreamPoll> AnswerStream::next_for(std::chrono::milliseconds wait) {
  return vision::guarded(
      [&]() -> Result<StreamPoll> { return channel_->next(runtime::Deadline::after(wait)); });
}

Result<StreamPoll> AnswerStream::try_next() { return next_for(std::chrono::milliseconds(0)); }

Result<Answer> AnswerStream::wait() {
  return vision::guarded([&]() -> Result<Answer> {
    Answer answer;
    while (true) {
      auto piece = next();
      if (!piece) return std::unexpected(std::move(piece).error());
      if (!*piece) break;
      answer.text += (*piece)->text;
      answer.thoughts += (*piece)->thoughts;
      vision::append(answer.ids, std::move((*piece)->ids));
      vision::append(answer.tokens, std::move((*piece)->tokens));
    }
    answer.stats = stats();
    return answer;
  });
}

void AnswerStream::on_change(std::function<void()> call) { channel_->on_change(std::move(call)); }

AnswerStats AnswerStream::stats() const { return channel_->stats(); }

void AnswerStream::cancel() noexcept {
  if (channel_) channel_->cancel();
}

}  // namespace ocellus
