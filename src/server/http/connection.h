// One client: its requests one after another, each answered before the next is read.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ocellus/answer.h"
#include "server/http/message.h"

namespace ocellus::server {

struct HttpLimits {
  std::size_t max_header_bytes = std::size_t{16} << 10;
  std::size_t max_body_bytes = std::size_t{64} << 20;
  std::size_t all_body_bytes = std::size_t{512} << 20;  // of all connections together
  std::chrono::seconds header{10};                      // from its first byte
  std::chrono::seconds stall{30};                       // of a body: nothing comes
  std::size_t pace = 1024;         // of a body: bytes a second, after the first ten seconds
  std::chrono::seconds idle{60};   // between requests
  std::chrono::seconds write{30};  // until the client takes what was written
};

// What a handler answers through. Either send(), or begin(), any number of write(), end(). Each
// gives false when the client is gone; then nothing more need be written. On the connection's loop.
class ResponseWriter {
 public:
  // For the access log: what was answered, where a model answered.
  struct Facts {
    std::string model = {};
    AnswerStats stats = {};
  };
  Facts facts;

  ResponseWriter(boost::beast::tcp_stream& stream, const HttpRequest& request,
                 const HttpLimits& limits, bool keep_alive)
      : stream_(stream), request_(request), limits_(limits), keep_alive_(keep_alive) {}

  // Sent with whatever is answered.
  void add_header(std::string name, std::string value) {
    headers_.emplace_back(std::move(name), std::move(value));
  }

  boost::asio::awaitable<bool> send(Response response);
  // A body of unknown length, in chunks (to HTTP/1.0: to the connection's end).
  boost::asio::awaitable<bool> begin(unsigned status, std::string type, Headers headers);
  boost::asio::awaitable<bool> write(std::string bytes);
  boost::asio::awaitable<bool> end();

  // Whether the client has closed its side, which is how most go; what it sent before that does not
  // hide it. Asks the system, waits for nothing.
  bool client_gone();
  bool keep_alive() const { return keep_alive_; }
  unsigned status() const { return status_; }  // 0: nothing sent yet
  std::size_t bytes() const { return bytes_; }

 private:
  std::string head(unsigned status, std::string_view type, const Headers& headers,
                   std::string_view framing) const;
  boost::asio::awaitable<bool> put(std::string bytes);

  boost::beast::tcp_stream& stream_;
  const HttpRequest& request_;
  const HttpLimits& limits_;
  Headers headers_;
  bool keep_alive_;
  bool chunked_ = false;
  unsigned status_ = 0;
  std::size_t bytes_ = 0;
};

// Answers one request, always. On the connection's loop.
using Handler = std::function<boost::asio::awaitable<void>(HttpRequest&, ResponseWriter&)>;

// What all connections of a server share; outlives them.
struct ConnectionContext {
  HttpLimits limits;
  Handler handler;
  // Asked when the header is there and a body is to come: an answer that needs none of it, and
  // after which the connection ends.
  std::function<std::optional<Response>(const HttpRequest& header)> refuse_early;
  // Called when a header is there; what it gives goes when the request is over.
  std::function<std::shared_ptr<void>()> begin_request;
  mutable std::atomic<std::size_t> body_bytes = 0;  // of requests that are being read or answered
  // The shape of an error that is found before a handler is chosen.
  std::function<Response(unsigned status, std::string_view code, std::string_view message)> error;
  std::function<bool()> draining;  // no further request after the one that is running
};

boost::asio::awaitable<void> serve_connection(boost::asio::ip::tcp::socket socket,
                                              std::shared_ptr<const ConnectionContext> context);

}  // namespace ocellus::server
