// Downloading a picture: one GET, under every limit.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "fetch/address_policy.h"
#include "fetch/url.h"
#include "ocellus/error.h"
#include "runtime/runtime.h"

namespace ocellus::fetch {

struct HttpLimits {
  std::chrono::milliseconds connect{3000}, first_byte{5000}, total{15000};
  std::size_t max_bytes = std::size_t{20} << 20;
  std::size_t max_header_bytes = std::size_t{64} << 10;
  int max_redirects = 5;
};

// Each hop: strict URL, one lookup, every answer checked against the policy, connection to a
// checked address, TLS verified against the system's authorities and the host's name. `ca_file`
// replaces the authorities (tests). The error's message is the full cause, for the log; callers
// tell users less. kForbidden, kFetchFailed, kDeadlineExceeded.
boost::asio::awaitable<Result<std::vector<std::byte>>> async_get(runtime::Runtime& runtime,
                                                                 HttpUrl url, AddressPolicy policy,
                                                                 HttpLimits limits,
                                                                 std::string ca_file);

}  // namespace ocellus::fetch
