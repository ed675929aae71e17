// Where a picture's bytes come from, and how they are had: asynchronously, on the shared runtime,
// within every limit.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "ocellus/error.h"
#include "runtime/runtime.h"

namespace ocellus::fetch {

struct Path {
  std::filesystem::path path;
};
struct Url {
  std::string url;  // http, https or data:
};
struct Bytes {
  std::vector<std::byte> bytes;
};
using Source = std::variant<Path, Url, Bytes>;

struct Options {
  bool allow_urls = true;
  std::vector<std::string> allow_hosts;  // "HOST[:PORT]" or CIDR
  std::size_t max_bytes = std::size_t{20} << 20;
  std::string ca_file = {};  // certificate authorities instead of the system's
};

// The encoded bytes. kNotFound, kIo, kBadImage (too large), kForbidden, kFetchFailed. Cancelling it
// ends it at once.
boost::asio::awaitable<Result<std::vector<std::byte>>> async_load(runtime::Runtime& runtime,
                                                                  Source source, Options options);

// The content of a data: URL (RFC 2397), base64 or percent-encoded. kInvalidArgument.
Result<std::vector<std::byte>> decode_data_url(std::string_view url, std::size_t max_bytes);

}  // namespace ocellus::fetch
