// Where pictures come from: whatever the text, an error or a URL with nothing left to interpret.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fetch/address_policy.h"
#include "fetch/data_url.h"
#include "fetch/source.h"
#include "fetch/url.h"

namespace {

using namespace ocellus;

void check(const Result<fetch::HttpUrl>& url) {
  if (!url) {
    if (url.error().message.empty()) std::abort();
    return;
  }
  // Nothing in it can end a header's line, and the host is plain.
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c == ':';
  };
  for (const char c : url->host) {
    if (!is_plain(c)) std::abort();
  }
  for (const char c : url->target) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) std::abort();
  }
  if (url->host.empty() || url->port == 0 || !url->target.starts_with('/')) std::abort();
  // Reading what was read gives the same.
  const std::string again = (url->https ? "https://" : "http://") + url->authority() + url->target;
  const auto second = fetch::parse_http_url(again);
  if (!second || second->host != url->host || second->port != url->port ||
      second->target != url->target) {
    std::abort();
  }
  const fetch::AddressPolicy policy;
  (void)policy.check_url(*url);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::size_t kMaxBytes = 4096;
  if (const auto bytes = fetch::parse_data_url(text, kMaxBytes); bytes && bytes->size() > kMaxBytes)
    std::abort();
  check(fetch::parse_http_url(text));
  const auto base = fetch::parse_http_url("https://a.example:8443/b/c?d");
  check(fetch::resolve_redirect(*base, text));
  (void)fetch::AddressPolicy::make({std::string(text)});
  return 0;
}
