// An http or https URL, taken apart once: the host that is checked is the host that is connected
// to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::fetch {

struct HttpUrl {
  bool tls = false;
  std::string host;  // lower case; an address without brackets
  std::uint16_t port = 0;
  std::string target;  // path and query: what stands in the request line

  std::string authority() const;  // for the Host header
};

// Strict: only http and https, no user information, no odd spellings of addresses (decimal, octal,
// hexadecimal, short), no control characters, backslashes, zones or empty hosts. kForbidden.
Result<HttpUrl> parse_http_url(std::string_view text);

// A Location header's value relative to `base`.
Result<HttpUrl> resolve_redirect(const HttpUrl& base, std::string_view location);

// Names that stand for the own machine or network: localhost, *.local, *.internal and the like.
bool is_private_name(std::string_view host);

}  // namespace ocellus::fetch
