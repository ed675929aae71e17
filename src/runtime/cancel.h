// Stopping work that is under way: a source asks, tokens are asked, callbacks are told.
#pragma once

#include <functional>
#include <stop_token>
#include <utility>

namespace ocellus::runtime {

// The reading end. Cheap to copy and to poll, from any thread. A default token is never cancelled.
class CancelToken {
 public:
  CancelToken() = default;
  bool cancelled() const noexcept { return token_.stop_requested(); }

 private:
  friend class CancelSource;
  friend class CancelCallback;
  explicit CancelToken(std::stop_token token) : token_(std::move(token)) {}
  std::stop_token token_;
};

// The asking end. Copies share one state; any thread. Destroying a source cancels nothing.
class CancelSource {
 public:
  CancelToken token() const noexcept { return CancelToken(source_.get_token()); }
  bool cancelled() const noexcept { return source_.stop_requested(); }
  // Runs the registered callbacks on this thread, once; later calls do nothing.
  void cancel() noexcept { source_.request_stop(); }

 private:
  std::stop_source source_;
};

// Calls `callback` on the cancelling thread when the token is cancelled, or in the constructor when
// it already is. The callback must not throw and must be short. The destructor waits for a call
// that is running on another thread, so that afterwards nothing refers to the callback any more.
class CancelCallback {
 public:
  CancelCallback(const CancelToken& token, std::function<void()> callback)
      : callback_(token.token_, std::move(callback)) {}

 private:
  std::stop_callback<std::function<void()>> callback_;
};

}  // namespace ocellus::runtime
