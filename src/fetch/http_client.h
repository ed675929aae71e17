// One GET of a public http(s) URL, distrustful of everything that answers.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstddef>
#include <vector>

#include "fetch/source.h"
#include "fetch/url.h"

namespace ocellus::fetch {

// What downloads need; outlives them (the fetcher's state holds it).
struct HttpClient {
  const FetchOptions& options;
  Resolver& resolver;
  boost::asio::ssl::context& tls;
};

// Follows redirects itself; each hop is checked like the first: spelling, policy, every answer of
// one lookup; the connection goes to a checked address only. kForbidden or kFetchFailed with the
// full cause, for the log.
boost::asio::awaitable<Result<std::vector<std::byte>>> async_http_get(const HttpClient& client,
                                                                      HttpUrl url);

}  // namespace ocellus::fetch
