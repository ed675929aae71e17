// Between the worker that makes an answer and the reader who takes it.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

#include "ocellus/answer.h"
#include "runtime/cancel.h"
#include "runtime/deadline.h"
#include "runtime/writer.h"

namespace ocellus::vision {

// One writer (the worker), one reader at a time; cancel() from anywhere. The buffer is bounded: a
// reader who does not read loses its answer, and the worker never waits.
class AnswerChannel {
 public:
  static constexpr std::size_t kMaxBuffered = std::size_t{1} << 20;  // bytes

  explicit AnswerChannel(runtime::Deadline deadline) : deadline_(deadline) {}

  // Reader: waits until `until` at most. kPending: nothing came until then.
  Result<StreamPoll> next(runtime::Deadline until);
  AnswerStats stats() const;
  void on_change(std::function<void()> call);
  void cancel() noexcept { cancel_.cancel(); }

  // Writer. push: false when the buffer is full or the answer is already over. Only the first
  // finish or fail counts.
  bool push(AnswerPiece piece);
  void finish(const AnswerStats& stats);
  void fail(Error error) noexcept;

  runtime::CancelToken cancel_token() const { return cancel_.token(); }
  runtime::Deadline deadline() const { return deadline_; }
  // Why the answer should not be made any further; nothing: go on.
  std::optional<Error> stop_reason() const;

 private:
  void changed();

  const runtime::Deadline deadline_;
  runtime::CancelSource cancel_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> told_;
  AnswerPiece buffer_;
  std::size_t buffered_ = 0;  // bytes
  AnswerStats stats_;
  bool done_ = false;
  std::optional<Error> error_;
};

// Fails the channel by itself when it goes away before the end.
using AnswerWriter = runtime::Writer<AnswerChannel>;

}  // namespace ocellus::vision
