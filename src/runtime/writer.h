// The writing end of anything that somebody waits at.
#pragma once

#include <concepts>
#include <memory>
#include <string_view>
#include <utility>

#include "ocellus/error.h"
#include "runtime/failure.h"

namespace ocellus::runtime {

// What can be told that nothing more will come. Only the first end of a channel counts: fail()
// after the regular end does nothing. It must not throw.
template <typename T>
concept FailableChannel = requires(T& channel, Error error) {
  channel.fail(std::move(error));
};

// Owns the right to write to a channel. When it goes away, by whatever way (the end of the work, an
// early return, an exception, a worker that dies), the channel fails by itself unless it was ended
// before: so nobody waits for ever. Movable; one thread at a time.
template <FailableChannel Channel>
class Writer {
 public:
  Writer() = default;
  explicit Writer(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}
  Writer(Writer&&) noexcept = default;
  Writer& operator=(Writer&& other) noexcept {
    if (this != &other) {
      reset();
      channel_ = std::move(other.channel_);
    }
    return *this;
  }
  ~Writer() { reset(); }

  Channel* operator->() const { return channel_.get(); }
  Channel& operator*() const { return *channel_; }
  explicit operator bool() const { return channel_ != nullptr; }
  // The channel for those who only look at it (its cancel token, its deadline).
  const std::shared_ptr<Channel>& channel() const { return channel_; }
  // Lets go, and fails the channel with kUnavailable if it has not ended.
  void reset() noexcept {
    if (const auto channel = std::exchange(channel_, nullptr))
      channel->fail(make_error_nothrow(ErrorCode::kUnavailable, kMessage));
  }

 private:
  static constexpr std::string_view kMessage = "the worker ended before the answer was complete";
  std::shared_ptr<Channel> channel_;
};

}  // namespace ocellus::runtime
