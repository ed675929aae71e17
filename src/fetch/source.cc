#include "fetch/source.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <map>
#include <mutex>

#include "base/log.h"
#include "base/read_file.h"
#include "base/result.h"
#include "fetch/data_url.h"
#include "fetch/http_client.h"
#include "runtime/blocking.h"

namespace ocellus::fetch {
namespace asio = boost::asio;
using Bytes = std::vector<std::byte>;

struct FetcherState {
  explicit FetcherState(runtime::Runtime& shared, FetchOptions given)
      : runtime(shared), options(std::move(given)) {}
  runtime::Runtime& runtime;
  const FetchOptions options;
  std::shared_ptr<Resolver> resolver;
  asio::ssl::context tls{asio::ssl::context::tls_client};
  std::mutex mutex;
  int running = 0;                     // guarded by mutex
  std::map<std::string, int> by_host;  // guarded by mutex
};

namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::ranges::equal(text.substr(0, prefix.size()), prefix, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

// A download's place among those allowed at once.
class Slot {
 public:
  Slot(FetcherState& state, std::string host) : state_(state), host_(std::move(host)) {
    const std::lock_guard lock(state_.mutex);
    int& here = state_.by_host[host_];
    taken_ = state_.running < Fetcher::kMaxFetches && here < Fetcher::kMaxFetchesPerHost;
    if (taken_)
      ++state_.running, ++here;
    else if (here == 0)
      state_.by_host.erase(host_);
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    if (!taken_) return;
    const std::lock_guard lock(state_.mutex);
    --state_.running;
    if (const auto it = state_.by_host.find(host_); --it->second == 0) state_.by_host.erase(it);
  }
  bool taken() const { return taken_; }

 private:
  FetcherState& state_;
  const std::string host_;
  bool taken_ = false;
};

std::unexpected<Error> tell(const Error& cause, bool explain) {
  if (cause.code == ErrorCode::kCancelled || cause.code == ErrorCode::kOutOfMemory) {
    return std::unexpected(cause);
  }
  base::log(explain ? base::LogLevel::kDebug : base::LogLevel::kWarning,
            fmt::format("image URL: {}", cause.message));
  if (explain) return base::make_error(cause.code, "image URL: {}", cause.message);
  if (cause.code == ErrorCode::kForbidden) {
    return base::make_error(ErrorCode::kForbidden, "image URL refused");
  }
  return base::make_error(ErrorCode::kFetchFailed, "image URL could not be fetched");
}

asio::awaitable<Result<Bytes>> load_url(std::shared_ptr<FetcherState> state, std::string text) {
  if (starts_with(text, "data:")) co_return parse_data_url(text, state->options.limits.max_bytes);
  const bool explain = state->options.explain_errors;
  if (!state->options.allow_urls) {
    co_return tell({ErrorCode::kForbidden, "URLs are switched off"}, explain);
  }
  const auto url = parse_http_url(text);
  if (!url) co_return tell(url.error(), explain);
  const Slot slot(*state, url->host);
  if (!slot.taken()) {
    co_return base::make_error(ErrorCode::kUnavailable, "too many image downloads at once");
  }
  const HttpClient client{state->options, *state->resolver, state->tls};
  auto bytes = co_await async_http_get(client, *url);
  if (!bytes) co_return tell(bytes.error(), explain);
  co_return bytes;
}

// Blocks. What the reader calls a wrong argument is here a wrong picture.
Result<Bytes> read_picture_file(const std::filesystem::path& path, std::size_t max_bytes) {
  auto bytes = base::read_file_bytes(path, max_bytes);
  if (!bytes && bytes.error().code == ErrorCode::kInvalidArgument)
    return std::unexpected(Error{ErrorCode::kBadImage, std::move(bytes).error().message});
  return bytes;
}

asio::awaitable<Result<Bytes>> load(std::shared_ptr<FetcherState> state, ImageSource source) {
  const std::size_t max_bytes = state->options.limits.max_bytes;
  if (auto* const url = std::get_if<UrlSource>(&source)) {
    co_return co_await load_url(state, std::move(url->url));
  }
  if (auto* const path = std::get_if<std::filesystem::path>(&source)) {
    std::function<Result<Bytes>()> job = [path = *path, max_bytes] {
      return read_picture_file(path, max_bytes);
    };
    const auto limit = state->options.limits.file;
    auto bytes = co_await runtime::run_blocking<Bytes>(state->runtime.file_pool(), std::move(job),
                                                       runtime::Deadline::after(limit));
    if (bytes || bytes.error().code != ErrorCode::kDeadlineExceeded) co_return bytes;
    co_return base::make_error(ErrorCode::kDeadlineExceeded, "{}: not read within {} ms",
                               path->string(), limit.count());
  }
  auto& bytes = std::get<Bytes>(source);
  if (bytes.size() > max_bytes) {
    co_return base::make_error(ErrorCode::kBadImage, "picture: expected at most {} bytes, found {}",
                               max_bytes, bytes.size());
  }
  co_return std::move(bytes);
}

}  // namespace

Result<Fetcher> Fetcher::make(runtime::Runtime& runtime, FetchOptions options) {
  // OpenSSL must not tear itself down at the process's end: a runtime thread may still be inside.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  try {
    auto state = std::make_shared<FetcherState>(runtime, std::move(options));
    state->resolver =
        state->options.resolver ? state->options.resolver : make_system_resolver(runtime);
    if (state->options.ca_pem.empty()) {
      state->tls.set_default_verify_paths();
    } else {
      state->tls.add_certificate_authority(asio::buffer(state->options.ca_pem));
    }
    state->tls.set_verify_mode(asio::ssl::verify_peer);
    return Fetcher(std::move(state));
  } catch (const std::bad_alloc&) {
    return base::make_error(ErrorCode::kOutOfMemory, "fetcher: not enough memory");
  } catch (const std::exception& e) {
    return base::make_error(ErrorCode::kUnavailable, "TLS certificates: {}", e.what());
  }
}

asio::awaitable<Result<Bytes>> Fetcher::async_load(ImageSource source) const {
  return load(state_, std::move(source));
}

}  // namespace ocellus::fetch
