#include "vision/answer_channel.h"

#include <utility>

namespace ocellus::vision {

Result<std::optional<std::string>> AnswerChannel::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ || !buffer_.empty(); });
  if (!buffer_.empty()) return std::exchange(buffer_, std::string());
  if (error_) return std::unexpected(*error_);
  return std::optional<std::string>();
}

AnswerStats AnswerChannel::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

bool AnswerChannel::push(std::string_view text) {
  if (text.empty()) return true;
  {
    const std::lock_guard lock(mutex_);
    if (done_ || buffer_.size() + text.size() > kMaxBuffered) return false;
    buffer_ += text;
  }
  changed_.notify_all();
  return true;
}

void AnswerChannel::finish(const AnswerStats& stats) {
  {
    const std::lock_guard lock(mutex_);
    if (done_) return;
    stats_ = stats;
    done_ = true;
  }
  changed_.notify_all();
}

void AnswerChannel::fail(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (done_) return;
    error_ = std::move(error);
    done_ = true;
  }
  changed_.notify_all();
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

Result<std::optional<std::string>> AnswerStream::next() { return channel_->next(); }

Result<Answer> AnswerStream::wait() {
  Answer answer;
  while (true) {
    auto piece = next();
    if (!piece) return std::unexpected(std::move(piece).error());
    if (!*piece) break;
    answer.text += **piece;
  }
  answer.stats = stats();
  return answer;
}

AnswerStats AnswerStream::stats() const { return channel_->stats(); }

void AnswerStream::cancel() noexcept {
  if (channel_) channel_->cancel();
}

}  // namespace ocellus
