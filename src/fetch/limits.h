// Every limit of fetching a picture, with its default. That of a URL's own length is kMaxUrlBytes
// (url.h).
#pragma once

#include <chrono>
#include <cstddef>

namespace ocellus::fetch {

struct FetchLimits {
  std::size_t max_bytes = std::size_t{20} << 20;  // of an encoded picture, wherever it comes from
  // Until a file is read: for one on a server that is gone, which may never be. 20 MiB come in 30 s
  // at less than 1 MB/s.
  std::chrono::milliseconds file{30'000};
  std::size_t max_header_bytes = std::size_t{64} << 10;
  int max_redirects = 5;
  std::chrono::milliseconds total{15'000};
  std::chrono::milliseconds connect{3'000};     // name lookup; again TCP; again TLS
  std::chrono::milliseconds first_byte{5'000};  // until the response's header is there
  // After rate_grace a body must have come at min_rate on average: a slow sender must not hold one
  // of the few downloads.
  std::size_t min_rate = 1024;  // bytes per second
  std::chrono::milliseconds rate_grace{5'000};
};

}  // namespace ocellus::fetch
