#include "fetch/http_client.h"

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include "base/result.h"
#include "runtime/deadline.h"

namespace ocellus::fetch {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using runtime::Deadline;

struct Reply {
  std::string location;  // of a redirect; else empty
  std::vector<std::byte> body;
};

std::unexpected<Error> failed(const HttpUrl& url, std::string_view step, const error_code& ec) {
  return base::make_error(ErrorCode::kFetchFailed, "{}: {}: {}", url.authority(), step,
                          ec.message());
}

bool is_redirect(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

asio::awaitable<Result<std::vector<asio::ip::address>>> checked_addresses(const HttpClient& client,
                                                                          HttpUrl url,
                                                                          Deadline deadline) {
  if (auto status = client.options.policy.check_url(url); !status) {
    co_return std::unexpected(status.error());
  }
  std::vector<asio::ip::address> addresses;
  error_code ec;
  if (const auto literal = asio::ip::make_address(url.host, ec); !ec) {
    addresses.push_back(literal);
  } else {
    auto found = co_await client.resolver.async_resolve(url.host, deadline);
    if (!found) co_return std::unexpected(found.error());
    addresses = *std::move(found);
  }
  // One forbidden address refuses them all: mixed answers are how DNS rebinding works.
  for (const auto& address : addresses) {
    if (auto status = client.options.policy.check_address(url, address); !status) {
      co_return std::unexpected(status.error());
    }
  }
  co_return addresses;
}

asio::awaitable<Status> connect(beast::tcp_stream& stream, const HttpUrl& url,
                                const std::vector<asio::ip::address>& addresses,
                                Deadline deadline) {
  error_code ec = asio::error::host_unreachable;
  for (const auto& address : addresses) {
    const tcp::endpoint endpoint(address, url.port);
    stream.expires_at(deadline.time());
    co_await stream.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
    if (!ec) {
      const auto peer = stream.socket().remote_endpoint(ec);
      if (!ec && peer == endpoint) co_return Status();
      co_return base::make_error(ErrorCode::kForbidden, "{}: connected to another address",
                                 url.authority());
    }
    if (deadline.expired()) break;
    error_code ignored;
    stream.socket().close(ignored);
  }
  co_return failed(url, "connect", ec);
}

template <typename Stream>
asio::awaitable<Result<Reply>> exchange(Stream& stream, const HttpUrl& url,
                                        const FetchLimits& limits, Deadline total) {
  error_code ec;
  auto& lowest = beast::get_lowest_layer(stream);
  http::request<http::empty_body> request(http::verb::get, url.target, 11);
  request.set(http::field::host, url.authority());
  request.set(http::field::user_agent, "ocellus");
  request.set(http::field::accept, "image/*");
  request.set(http::field::accept_encoding, "identity");
  request.set(http::field::connection, "close");
  lowest.expires_at(earlier(total, Deadline::after(limits.first_byte)).time());
  co_await http::async_write(stream, request, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed(url, "send", ec);

  beast::flat_buffer buffer(limits.max_header_bytes + 16384);
  http::response_parser<http::buffer_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
  parser.body_limit(limits.max_bytes);
  co_await http::async_read_header(stream, buffer, parser,
                                   asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed(url, "response header", ec);
  const auto& message = parser.get();
  Reply reply;
  if (is_redirect(message.result_int())) {
    const auto location = message[http::field::location];
    if (location.empty()) {
      co_return base::make_error(ErrorCode::kFetchFailed, "{}: redirect without a Location",
                                 url.authority());
    }
    reply.location.assign(location.data(), location.size());
    co_return reply;
  }
  if (message.result_int() != 200) {
    co_return base::make_error(ErrorCode::kFetchFailed, "{}: status: expected 200, found {}",
                               url.authority(), message.result_int());
  }
  const auto encoding = message[http::field::content_encoding];
  if (!encoding.empty() && !beast::iequals(encoding, "identity")) {
    co_return base::make_error(ErrorCode::kFetchFailed,
                               "{}: content encoding: expected identity, found {}", url.authority(),
                               std::string_view(encoding.data(), encoding.size()));
  }
  const auto start = Deadline::Clock::now();
  std::array<std::byte, 16384> chunk;
  while (!parser.is_done()) {
    parser.get().body().data = chunk.data();
    parser.get().body().size = chunk.size();
    parser.get().body().more = true;
    // By then, at the least rate, the next byte must be there.
    const auto allowance =
        limits.rate_grace + std::chrono::milliseconds(reply.body.size() * 1000 / limits.min_rate);
    lowest.expires_at(earlier(total, Deadline(start + allowance)).time());
    co_await http::async_read_some(stream, buffer, parser,
                                   asio::redirect_error(asio::use_awaitable, ec));
    if (ec == http::error::need_buffer) ec = {};
    if (ec) co_return failed(url, "response body", ec);
    const std::size_t count = chunk.size() - parser.get().body().size;
    if (count > limits.max_bytes - reply.body.size()) {
      co_return failed(url, "response body", http::make_error_code(http::error::body_limit));
    }
    reply.body.insert(reply.body.end(), chunk.data(), chunk.data() + count);
  }
  co_return reply;
}

asio::awaitable<Result<Reply>> get_once(const HttpClient& client, const HttpUrl& url,
                                        Deadline total) {
  const FetchLimits& limits = client.options.limits;
  const auto addresses =
      co_await checked_addresses(client, url, earlier(total, Deadline::after(limits.connect)));
  if (!addresses) co_return std::unexpected(addresses.error());
  const auto executor = co_await asio::this_coro::executor;
  const Deadline connected = earlier(total, Deadline::after(limits.connect));
  if (!url.https) {
    beast::tcp_stream stream(executor);
    if (auto status = co_await connect(stream, url, *addresses, connected); !status) {
      co_return std::unexpected(status.error());
    }
    co_return co_await exchange(stream, url, limits, total);
  }
  beast::ssl_stream<beast::tcp_stream> stream(executor, client.tls);
  error_code ec;
  asio::ip::make_address(url.host, ec);
  if (ec && SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str()) != 1) {
    co_return base::make_error(ErrorCode::kFetchFailed, "{}: TLS name refused", url.authority());
  }
  stream.set_verify_callback(asio::ssl::host_name_verification(url.host), ec);
  if (ec) co_return failed(url, "TLS", ec);
  auto& lowest = beast::get_lowest_layer(stream);
  if (auto status = co_await connect(lowest, url, *addresses, connected); !status) {
    co_return std::unexpected(status.error());
  }
  lowest.expires_at(earlier(total, Deadline::after(limits.connect)).time());
  co_await stream.async_handshake(asio::ssl::stream_base::client,
                                  asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return failed(url, "TLS", ec);
  co_return co_await exchange(stream, url, limits, total);
}

}  // namespace

asio::awaitable<Result<std::vector<std::byte>>> async_http_get(const HttpClient& client,
                                                               HttpUrl url) {
  const Deadline total = Deadline::after(client.options.limits.total);
  for (int hop = 0; hop <= client.options.limits.max_redirects; ++hop) {
    auto reply = co_await get_once(client, url, total);
    if (!reply) co_return std::unexpected(reply.error());
    if (reply->location.empty()) co_return std::move(reply->body);
    auto next = resolve_redirect(url, reply->location);
    if (!next) co_return std::unexpected(next.error());
    if (url.https && !next->https) {
      co_return base::make_error(ErrorCode::kForbidden, "{}: redirect from https to http",
                                 url.authority());
    }
    url = *std::move(next);
  }
  co_return base::make_error(ErrorCode::kFetchFailed,
                             "{}: expected at most {} redirects, found more", url.authority(),
                             client.options.limits.max_redirects);
}

}  // namespace ocellus::fetch
