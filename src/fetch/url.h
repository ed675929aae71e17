// The only parser of http(s) URLs: the host that is checked here is the host that is connected to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::fetch {

// A URL of which nothing is left to interpret. Value type.
struct HttpUrl {
  bool https = false;
  std::string host;  // lower case, a name or a canonical address; IPv6 without brackets
  bool ipv6 = false;
  std::uint16_t port = 0;  // never 0
  std::string target;      // path and query, begins with '/'; no fragment

  // As the Host field and log lines want it: brackets for IPv6, the port when it is not the
  // default.
  std::string authority() const;
};

// Longer URLs are refused; browsers and servers agree on about as much.
inline constexpr std::size_t kMaxUrlBytes = 8192;

// What people paste is taken as browsers take it: blanks around it and line breaks and tabs in it
// are dropped, and in path and query what may not stand in a URL is percent-encoded (WHATWG URL,
// path and query percent-encode sets). Before the path only plain spellings are accepted: http or
// https, no user, no backslash, no space, a host of letters, digits, hyphens, underscores and dots,
// or an IPv4 address of four decimal numbers, or a bracketed IPv6 address without zone. What other
// programs might read in another way (percent signs in the host, decimal, octal, hexadecimal and
// short addresses, a trailing dot, full-width characters) is refused. kForbidden with the reason.
Result<HttpUrl> parse_http_url(std::string_view text);

// A Location field against the URL that it came from (RFC 3986, 5.2), by the same rules.
Result<HttpUrl> resolve_redirect(const HttpUrl& base, std::string_view location);

}  // namespace ocellus::fetch
