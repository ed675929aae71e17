#include "server/access.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>

namespace ocellus::server {
namespace {

// Without the port.
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; };
    return lower(x) == lower(y);
  });
}

// A key and NULs, which no key has: the same only for the same key. One that is
// longer than any of this server's is like none of them.
using PaddedKey = std::array<char, kMaxKeyBytes + 1>;
PaddedKey padded(std::string_view key) {
  PaddedKey out{};
  const std::size_t length = std::min(key.size(), kMaxKeyBytes);
  std::copy_n(key.begin(), length, out.begin());
  out.back() = key.size() > kMaxKeyBytes ? 1 : 0;
  return out;
}

std::string_view key_of(const HttpRequest& request) {
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view bearer = field_of(request, "authorization");
  if (bearer.size() > kBearer.size() && same(bearer.substr(0, kBearer.size()), kBearer))
    return bearer.substr(kBearer.size());
  return field_of(request, "x-api-key");
}

}  // namespace

bool Access::is_allowed_origin(std::string_view origin) const {
  return std::ranges::any_of(origins_, [&](const auto& each) { return same(each, origin); });
}

std::optional<ApiError> Access::check_origin(const HttpRequest& request) const {
  const std::string_view host = field_of(request, "host");
  if (loopback_) {
    const std::string_view name = host_of(host);
    if (!same(name, "127.0.0.1") && !same(name, "localhost") && !same(name, "[::1]")) {
      return ApiError{
          .status = 403,
          .code = "host_not_allowed",
          .message = short_message(fmt::format(
              "Host: expected 127.0.0.1, localhost or [::1], found \"{}\"", name.substr(0, 80)))};
    }
  }
  const std::string_view origin = field_of(request, "origin");
  if (origin.empty() || is_allowed_origin(origin)) return std::nullopt;
  const std::size_t scheme = origin.find("://");
  if (scheme != std::string_view::npos && same(origin.substr(scheme + 3), host))
    return std::nullopt;
  return ApiError{.status = 403,
                  .code = "origin_not_allowed",
                  .message =
                      "Origin: expected this server's own pages: --allow-origin lets others "
                      "in"};
}

std::optional<ApiError> Access::check_key(const HttpRequest& request) const {
  if (keys_.empty()) return std::nullopt;
  // Filled up to one length, and all are compared.
  const PaddedKey given = padded(key_of(request));
  bool found = false;
  for (const std::string& key : keys_) {
    const PaddedKey expected = padded(key);
    found |= CRYPTO_memcmp(expected.data(), given.data(), given.size()) == 0;
  }
  if (found) return std::nullopt;
  return ApiError{.status = 401,
                  .code = "invalid_api_key",
                  .message =
                      "expected a key of this server, as \"Authorization: Bearer KEY\" or "
                      "\"x-api-key: KEY\""};
}

Headers Access::cors_headers(const HttpRequest& request) const {
  const std::string_view origin = field_of(request, "origin");
  if (origin.empty() || !is_allowed_origin(origin)) return {};
  return {{"Access-Control-Allow-Origin", std::string(origin)},
          {"Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"},
          {"Access-Control-Allow-Headers", "authorization, content-type, x-api-key, x-request-id"},
          {"Access-Control-Max-Age", "600"},
          {"Vary", "Origin"}};
}

}  // namespace ocellus::server
