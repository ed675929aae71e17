#include "server/http/connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <optional>

#include "server/http/framing.h"

namespace ocellus::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
using Parser = http::request_parser<http::string_body>;

// What reading one request came to.
enum class Read { kRequest, kEnd, kRefused };

std::string_view text_of(const beast::flat_buffer& buffer) {
  const auto data = buffer.cdata();
  return {static_cast<const char*>(data.data()), data.size()};
}

// A request's share of the bytes that all bodies may take together.
class BodyBytes {
 public:
  explicit BodyBytes(const ConnectionContext& context) : context_(context) {}
  BodyBytes(const BodyBytes&) = delete;
  BodyBytes& operator=(const BodyBytes&) = delete;
  ~BodyBytes() { context_.body_bytes -= taken_; }

  // Up to so many in all. False: others have taken them.
  bool take(std::size_t bytes) {
    if (bytes <= taken_) return true;
    const std::size_t more = bytes - taken_;
    if (context_.body_bytes.fetch_add(more) + more > context_.limits.all_body_bytes) {
      context_.body_bytes -= more;
      return false;
    }
    taken_ = bytes;
    return true;
  }

 private:
  const ConnectionContext& context_;
  std::size_t taken_ = 0;
};

class Connection {
 public:
  Connection(asio::ip::tcp::socket socket, const ConnectionContext& context)
      : stream_(std::move(socket)),
        context_(context),
        buffer_(context.limits.max_header_bytes + (std::size_t{64} << 10)) {}

  asio::awaitable<void> run() {
    error_code ignored;
    stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    while (true) {
      std::optional<Parser> parser(std::in_place);
      parser->header_limit(static_cast<std::uint32_t>(context_.limits.max_header_bytes));
      parser->body_limit(context_.limits.max_body_bytes);
      BodyBytes bytes(context_);
      const Read found = co_await read(*parser, bytes);
      if (found == Read::kEnd) break;
      if (found == Read::kRefused) {
        co_await refuse();
        break;
      }
      HttpRequest request = parser->release();
      parser.reset();
      const bool keep_alive = request.keep_alive() && !context_.draining();
      ResponseWriter writer(stream_, request, context_.limits, keep_alive);
      co_await context_.handler(request, writer);
      running_.reset();
      if (!writer.keep_alive() || writer.client_gone() || context_.draining()) break;
    }
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }

 private:
  // The header, checked byte by byte before it is parsed.
  asio::awaitable<Read> read_header(Parser& parser) {
    bool begun = buffer_.size() > 0;
    stream_.expires_after(begun ? context_.limits.header : context_.limits.idle);
    HeaderScan scan;
    while (true) {
      if (Status ok = scan.advance(text_of(buffer_)); !ok)
        co_return refusing(400, "bad_request", ok.error().message);
      if (scan.complete()) break;
      if (buffer_.size() >= context_.limits.max_header_bytes) {
        co_return refusing(431, "header_too_large",
                           fmt::format("request header: expected at most {} bytes",
                                       context_.limits.max_header_bytes));
      }
      const auto [ec, count] =
          co_await stream_.async_read_some(buffer_.prepare(std::size_t{8} << 10), kAwait);
      if (ec == beast::error::timeout && begun)
        co_return refusing(408, "request_timeout", "request header: not there in time");
      if (ec) co_return Read::kEnd;
      buffer_.commit(count);
      if (!begun) stream_.expires_after(context_.limits.header);
      begun = true;
    }
    if (Status ok = check_framing(text_of(buffer_)); !ok)
      co_return refusing(400, "bad_request", ok.error().message);
    error_code ec;
    parser.eager(false);
    buffer_.consume(parser.put(buffer_.data(), ec));
    if (ec == http::error::body_limit) co_return too_large();
    if (ec && ec != http::error::need_more)
      co_return refusing(400, "bad_request", "request header: " + ec.message());
    if (!parser.is_header_done())
      co_return refusing(400, "bad_request", "request header: cannot be read");
    if (parser.get().version() != 11 && parser.get().version() != 10)
      co_return refusing(505, "bad_request", "expected HTTP/1.1");
    if (parser.get().version() == 11 && parser.get().count(http::field::host) != 1)
      co_return refusing(400, "bad_request", "request header: expected one Host");
    co_return Read::kRequest;
  }

  asio::awaitable<Read> read(Parser& parser, BodyBytes& bytes) {
    const Read header = co_await read_header(parser);
    if (header != Read::kRequest) co_return header;
    running_ = context_.begin_request();
    const auto length = parser.content_length();
    if (length && *length > context_.limits.max_body_bytes) co_return too_large();
    if (parser.is_done() || (length && *length == 0)) {
      parser.eager(true);
      if (parser.is_done()) co_return Read::kRequest;
    }
    if (auto response = context_.refuse_early(parser.get())) {
      response_ = *std::move(response);
      co_return Read::kRefused;
    }
    if (!bytes.take(length ? static_cast<std::size_t>(*length) : 0)) co_return busy();
    if (beast::iequals(parser.get()[http::field::expect], "100-continue") && !parser.is_done()) {
      stream_.expires_after(context_.limits.write);
      const std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto [ec, count] = co_await asio::async_write(stream_, asio::buffer(go_on), kAwait);
      if (ec) co_return Read::kEnd;
    }
    const Read body = co_await read_body(parser, bytes);
    co_return body;
  }

  // Piece by piece, so that a client that sends a byte now and then is not waited for.
  asio::awaitable<Read> read_body(Parser& parser, BodyBytes& bytes) {
    constexpr std::chrono::seconds kFirst{10};
    const auto begun = std::chrono::steady_clock::now();
    std::size_t received = 0;
    parser.eager(true);
    while (!parser.is_done()) {
      stream_.expires_after(context_.limits.stall);
      const auto [ec, count] = co_await http::async_read_some(stream_, buffer_, parser, kAwait);
      received += count;
      if (ec == http::error::body_limit) co_return too_large();
      if (ec == beast::error::timeout)
        co_return refusing(408, "request_timeout", "request body: not there in time");
      if (ec && ec.category() == http::make_error_code(http::error::bad_chunk).category() &&
          ec != http::error::end_of_stream && ec != http::error::partial_message) {
        co_return refusing(400, "bad_request", "request body: " + ec.message());
      }
      if (ec) co_return Read::kEnd;
      if (!bytes.take(parser.get().body().size())) co_return busy();
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
      if (took > kFirst && static_cast<double>(received) <
                               took.count() * static_cast<double>(context_.limits.pace)) {
        co_return refusing(
            408, "request_timeout",
            fmt::format("request body: expected {} bytes a second", context_.limits.pace));
      }
    }
    co_return Read::kRequest;
  }

  Read refusing(unsigned status, std::string_view code, std::string_view message) {
    response_ = context_.error(status, code, message);
    return Read::kRefused;
  }
  Read busy() {
    const Read refused = refusing(
        503, "server_busy", "the requests that are being read take all the room there is for them");
    response_.headers.emplace_back("Retry-After", "1");
    return refused;
  }
  Read too_large() {
    return refusing(
        413, "request_too_large",
        fmt::format("request body: expected at most {} bytes", context_.limits.max_body_bytes));
  }

  // One answer, then the end: where the next request would begin is not known. What the client is
  // still sending is read for a moment, else its system would throw the answer away.
  asio::awaitable<void> refuse() {
    const HttpRequest none;
    ResponseWriter writer(stream_, none, context_.limits, false);
    const bool there = co_await writer.send(std::move(response_));
    running_.reset();
    if (!there) co_return;
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    buffer_.clear();
    stream_.expires_after(std::chrono::seconds(1));
    for (std::size_t taken = 0; taken < (std::size_t{1} << 20);) {
      const auto [ec, count] =
          co_await stream_.async_read_some(buffer_.prepare(std::size_t{16} << 10), kAwait);
      if (ec) break;
      taken += count;
    }
  }

  beast::tcp_stream stream_;
  const ConnectionContext& context_;
  beast::flat_buffer buffer_;
  Response response_;              // of a request that is refused before it is whole
  std::shared_ptr<void> running_;  // while a request is read and answered
};

}  // namespace

std::string_view path_of(const HttpRequest& request) {
  const std::string_view target(request.target().data(), request.target().size());
  return target.substr(0, target.find_first_of("?#"));
}

std::string_view field_of(const HttpRequest& request, std::string_view name) {
  const auto found = request.find({name.data(), name.size()});
  if (found == request.end()) return {};
  return {found->value().data(), found->value().size()};
}

std::string ResponseWriter::head(unsigned status, std::string_view type, const Headers& headers,
                                 std::string_view framing) const {
  const auto reason = http::obsolete_reason(http::int_to_status(status));
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\n", status, std::string_view(reason.data(), reason.size()));
  if (!type.empty()) out += fmt::format("Content-Type: {}\r\n", type);
  out += framing;
  for (const auto& [name, value] : headers_) out += fmt::format("{}: {}\r\n", name, value);
  for (const auto& [name, value] : headers) out += fmt::format("{}: {}\r\n", name, value);
  out += "X-Content-Type-Options: nosniff\r\n";
  out += keep_alive_ ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return out;
}

asio::awaitable<bool> ResponseWriter::put(std::string bytes) {
  stream_.expires_after(limits_.write);
  const auto [ec, count] = co_await asio::async_write(stream_, asio::buffer(bytes), kAwait);
  bytes_ += count;
  if (ec) keep_alive_ = false;
  co_return !ec;
}

asio::awaitable<bool> ResponseWriter::send(Response response) {
  status_ = response.status;
  std::string bytes = head(response.status, response.type, response.headers,
                           fmt::format("Content-Length: {}\r\n", response.body.size()));
  if (request_.method() != http::verb::head) bytes += response.body;
  const bool there = co_await put(std::move(bytes));
  co_return there;
}

asio::awaitable<bool> ResponseWriter::begin(unsigned status, std::string type, Headers headers) {
  status_ = status;
  chunked_ = request_.version() >= 11;
  if (!chunked_) keep_alive_ = false;
  headers.emplace_back("Cache-Control", "no-store");
  headers.emplace_back("X-Accel-Buffering", "no");
  std::string bytes = head(status, type, headers, chunked_ ? "Transfer-Encoding: chunked\r\n" : "");
  const bool there = co_await put(std::move(bytes));
  co_return there;
}

asio::awaitable<bool> ResponseWriter::write(std::string bytes) {
  if (bytes.empty()) co_return true;
  if (chunked_) bytes = fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
  const bool there = co_await put(std::move(bytes));
  co_return there;
}

asio::awaitable<bool> ResponseWriter::end() {
  if (!chunked_) co_return true;
  std::string last = "0\r\n\r\n";
  const bool there = co_await put(std::move(last));
  co_return there;
}

bool ResponseWriter::client_gone() {
  pollfd asked{.fd = stream_.socket().native_handle(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&asked, 1, 0) > 0 && (asked.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

asio::awaitable<void> serve_connection(asio::ip::tcp::socket socket,
                                       std::shared_ptr<const ConnectionContext> context) {
  Connection connection(std::move(socket), *context);
  co_await connection.run();
}

}  // namespace ocellus::server
