// An image source (path, URL, data: URL, bytes) to its encoded bytes, asynchronously, within
// limits.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "fetch/address_policy.h"
#include "fetch/limits.h"
#include "fetch/resolver.h"
#include "ocellus/error.h"
#include "runtime/runtime.h"

namespace ocellus::fetch {

struct UrlSource {
  std::string url;  // http, https or data:
};
using ImageSource = std::variant<std::filesystem::path, UrlSource, std::vector<std::byte>>;

struct FetchOptions {
  bool allow_urls = true;  // http(s); data: is no fetch
  // Whether errors name the cause. A stranger who sent the URL must not learn of this network.
  bool explain_errors = false;
  AddressPolicy policy = {};
  FetchLimits limits = {};
  std::string ca_pem = {};                  // trusted instead of the system's authorities
  std::shared_ptr<Resolver> resolver = {};  // null: the system's
};

struct FetcherState;

// Loads pictures; at most 16 downloads at once and 4 from one host. Make one and share it. Any
// thread; copies share the counts.
class Fetcher {
 public:
  static constexpr int kMaxFetches = 16;
  static constexpr int kMaxFetchesPerHost = 4;

  // kUnavailable when the trusted certificates cannot be loaded.
  static Result<Fetcher> make(runtime::Runtime& runtime, FetchOptions options = {});

  // For spawn() or block_on(); owns all that it uses, ends soon after it is cancelled. URLs give
  // kForbidden, kFetchFailed or kUnavailable (too many at once). Unless explain_errors says
  // otherwise, the first two are "image URL refused" and "image URL could not be fetched", and the
  // cause goes to the log. Files are read whole on the runtime's threads for files, never
  // waiting for a pipe or device: kNotFound, kIo, kBadImage when it is no regular file or larger
  // than max_bytes, kDeadlineExceeded after FetchLimits::file.
  boost::asio::awaitable<Result<std::vector<std::byte>>> async_load(ImageSource source) const;

 private:
  explicit Fetcher(std::shared_ptr<FetcherState> state) : state_(std::move(state)) {}
  std::shared_ptr<FetcherState> state_;
};

}  // namespace ocellus::fetch
