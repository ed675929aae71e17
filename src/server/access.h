// Who may ask: keys, and the web pages that a browser may ask for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"
#include "server/http/message.h"

namespace ocellus::server {

constexpr std::size_t kMaxKeyBytes = 512;

// Read-only; any thread.
class Access {
 public:
  // `loopback`: only this machine reaches the server, so a browser that names another host was led
  // here by a page from elsewhere (DNS rebinding).
  Access(std::vector<std::string> keys, std::vector<std::string> origins, bool loopback)
      : keys_(std::move(keys)), origins_(std::move(origins)), loopback_(loopback) {}

  // Of every request: Host and Origin. 403.
  std::optional<ApiError> check_origin(const HttpRequest& request) const;
  // Of those for models and metrics: the key, as Bearer or x-api-key. 401. Takes the same time
  // whatever is wrong with it.
  std::optional<ApiError> check_key(const HttpRequest& request) const;
  // For a page from elsewhere that is allowed.
  Headers cors_headers(const HttpRequest& request) const;

 private:
  bool is_allowed_origin(std::string_view origin) const;

  std::vector<std::string> keys_, origins_;
  bool loopback_;
};

}  // namespace ocellus::server
