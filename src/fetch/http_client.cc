#include "fetch/http_client.h"

#include <netdb.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <cstring>
#include <functional>
#include <optional>

#include "base/result.h"
#include "runtime/blocking.h"

namespace ocellus::fetch {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using base::make_error;
using Bytes = std::vector<std::byte>;
using Addresses = std::vector<asio::ip::address>;
using Clock = std::chrono::steady_clock;

constexpr auto kUse = asio::as_tuple(asio::use_awaitable);

// A and AAAA answers of the system's resolver. Blocking: runs on the runtime's lookup threads.
Result<Addresses> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    return make_error(ErrorCode::kFetchFailed, "{}: looking up: {}", host, ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  Addresses addresses;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    tcp::endpoint endpoint;
    if (info->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), info->ai_addr, info->ai_addrlen);
    endpoint.resize(info->ai_addrlen);
    addresses.push_back(endpoint.address());
  }
  return addresses;
}

// The addresses to connect to, every one of them allowed; one bad answer spoils all.
asio::awaitable<Result<Addresses>> resolve(runtime::Runtime& runtime, HttpUrl url,
                                           AddressPolicy policy) {
  boost::system::error_code ec;
  Addresses addresses;
  if (const auto literal = asio::ip::make_address(url.host, ec); !ec) {
    addresses = {literal};
  } else {
    if (is_private_name(url.host) && !policy.names(url.host, url.port)) {
      co_return make_error(ErrorCode::kForbidden, "{}: a name of the private network", url.host);
    }
    // Named locals: GCC 12 destroys temporaries with captures twice when they stand in a co_await.
    std::function<Result<Addresses>()> job = [host = url.host] { return look_up(host); };
    auto found = co_await runtime::run_blocking<Addresses>(runtime.lookup_pool(), std::move(job));
    if (!found) co_return std::unexpected(found.error());
    addresses = *std::move(found);
  }
  for (const auto& address : addresses) {
    if (!policy.allows(url.host, address, url.port)) {
      co_return make_error(ErrorCode::kForbidden, "{}: {} port {} is not public", url.host,
                           address.to_string(), url.port);
    }
  }
  if (addresses.empty()) co_return make_error(ErrorCode::kFetchFailed, "{}: no address", url.host);
  co_return addresses;
}

struct Outcome {
  Bytes body;
  std::string redirect;  // not empty: go there instead
};

std::unexpected<Error> failed(const HttpUrl& url, std::string_view step,
                              const boost::system::error_code& ec) {
  return make_error(ErrorCode::kFetchFailed, "{}: {}: {}", url.authority(), step, ec.message());
}

Clock::duration at_most(Clock::time_point deadline, std::chrono::milliseconds limit) {
  return std::min<Clock::duration>(
      limit, std::max<Clock::duration>(deadline - Clock::now(), std::chrono::milliseconds(1)));
}

// One request on a connected stream, plain or TLS. Bytes are counted as they come, whatever the
// headers promise.
template <typename Stream>
asio::awaitable<Result<Outcome>> exchange(Stream& stream, const HttpUrl& url,
                                          const HttpLimits& limits, Clock::time_point deadline) {
  http::request<http::empty_body> request(http::verb::get, url.target, 11);
  request.set(http::field::host, url.authority());
  request.set(http::field::accept, "image/*");
  request.set(http::field::accept_encoding, "identity");
  request.set(http::field::user_agent, "ocellus");
  request.set(http::field::connection, "close");
  auto& lowest = beast::get_lowest_layer(stream);
  lowest.expires_after(at_most(deadline, limits.first_byte));
  if (const auto [ec, n] = co_await http::async_write(stream, request, kUse); ec)
    co_return failed(url, "sending", ec);

  http::response_parser<http::buffer_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
  parser.body_limit(limits.max_bytes);
  beast::flat_buffer buffer;
  if (const auto [ec, n] = co_await http::async_read_header(stream, buffer, parser, kUse); ec)
    co_return failed(url, "reading headers", ec);
  const auto& response = parser.get();
  const unsigned status = response.result_int();
  if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) {
    Outcome outcome;
    outcome.redirect = std::string(response[http::field::location]);
    if (outcome.redirect.empty())
      co_return make_error(ErrorCode::kFetchFailed, "{}: a redirect to nowhere", url.authority());
    co_return outcome;
  }
  if (status != 200)
    co_return make_error(ErrorCode::kFetchFailed, "{}: status {}", url.authority(), status);
  const std::string_view coding(response[http::field::content_encoding].data(),
                                response[http::field::content_encoding].size());
  if (!coding.empty() && coding != "identity") {
    co_return make_error(ErrorCode::kFetchFailed, "{}: content encoding {}, expected none",
                         url.authority(), coding);
  }
  Outcome outcome;
  std::vector<char> chunk(64 << 10);
  while (!parser.is_done()) {
    parser.get().body().data = chunk.data();
    parser.get().body().size = chunk.size();
    // Each 64 KiB within the first-byte limit is the least rate; the total deadline holds for all.
    lowest.expires_after(at_most(deadline, limits.first_byte));
    const auto [ec, n] = co_await http::async_read(stream, buffer, parser, kUse);
    if (ec && ec != http::error::need_buffer) co_return failed(url, "reading", ec);
    const std::size_t got = chunk.size() - parser.get().body().size;
    if (outcome.body.size() + got > limits.max_bytes) {
      co_return make_error(ErrorCode::kFetchFailed, "{}: more than {} bytes", url.authority(),
                           limits.max_bytes);
    }
    const auto* bytes = reinterpret_cast<const std::byte*>(chunk.data());
    outcome.body.insert(outcome.body.end(), bytes, bytes + got);
  }
  co_return outcome;
}

asio::awaitable<Result<Outcome>> tls_exchange(beast::tcp_stream stream, const HttpUrl& url,
                                              const HttpLimits& limits, const std::string& ca_file,
                                              Clock::time_point deadline) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  boost::system::error_code ec;
  if (ca_file.empty()) {
    context.set_default_verify_paths(ec);
  } else {
    context.load_verify_file(ca_file, ec);
  }
  if (ec) co_return failed(url, "reading the certificate authorities", ec);
  context.set_verify_mode(asio::ssl::verify_peer);
  beast::ssl_stream<beast::tcp_stream> tls(std::move(stream), context);
  tls.set_verify_callback(asio::ssl::host_name_verification(url.host));
  if (SSL_set_tlsext_host_name(tls.native_handle(), url.host.c_str()) != 1) {
    co_return make_error(ErrorCode::kFetchFailed, "{}: the host name cannot be sent", url.host);
  }
  beast::get_lowest_layer(tls).expires_after(at_most(deadline, limits.connect));
  if (const auto [error] = co_await tls.async_handshake(asio::ssl::stream_base::client, kUse);
      error)
    co_return failed(url, "TLS", error);
  co_return co_await exchange(tls, url, limits, deadline);
}

asio::awaitable<Result<Outcome>> get_once(runtime::Runtime& runtime, const HttpUrl& url,
                                          const AddressPolicy& policy, const HttpLimits& limits,
                                          const std::string& ca_file, Clock::time_point deadline) {
  auto addresses = co_await resolve(runtime, url, policy);
  if (!addresses) co_return std::unexpected(addresses.error());
  boost::system::error_code last;
  for (const auto& address : *addresses) {
    beast::tcp_stream stream(co_await asio::this_coro::executor);
    stream.expires_after(at_most(deadline, limits.connect));
    const tcp::endpoint endpoint(address, url.port);
    if (const auto [ec] = co_await stream.async_connect(endpoint, kUse); ec) {
      last = ec;
      continue;
    }
    // Who answered is who was checked.
    if (stream.socket().remote_endpoint(last) != endpoint || last) {
      co_return make_error(ErrorCode::kForbidden,
                           "{}: connected to another address than the one checked", url.host);
    }
    if (url.tls) co_return co_await tls_exchange(std::move(stream), url, limits, ca_file, deadline);
    co_return co_await exchange(stream, url, limits, deadline);
  }
  co_return failed(url, "connecting", last);
}

}  // namespace

asio::awaitable<Result<Bytes>> async_get(runtime::Runtime& runtime, HttpUrl url,
                                         AddressPolicy policy, HttpLimits limits,
                                         std::string ca_file) {
  const auto deadline = Clock::now() + limits.total;
  for (int hop = 0; hop <= limits.max_redirects; ++hop) {
    auto outcome = co_await get_once(runtime, url, policy, limits, ca_file, deadline);
    if (!outcome) co_return std::unexpected(outcome.error());
    if (outcome->redirect.empty()) co_return std::move(outcome->body);
    auto next = resolve_redirect(url, outcome->redirect);
    if (!next) co_return std::unexpected(next.error());
    if (url.tls && !next->tls)
      co_return make_error(ErrorCode::kForbidden, "{}: redirected from https to http",
                           url.authority());
    url = *std::move(next);
  }
  co_return make_error(ErrorCode::kFetchFailed, "{}: more than {} redirects", url.authority(),
                       limits.max_redirects);
}

}  // namespace ocellus::fetch
