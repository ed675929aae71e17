// One client: its requests one after another, each answered before the next is read.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/http/message.h"

namespace ocellus::server {

struct HttpLimits {
  std::size_t max_header_bytes = std::size_t{32} << 10;
  std::size_t max_body_bytes = std::size_t{64} << 20;
  std::chrono::seconds header{30};  // from its first byte
  std::chrono::seconds body{120};
  std::chrono::seconds idle{120};  // between requests
  std::chrono::seconds write{60};  // until the client takes what was written
};

// What a handler answers through. Either send(), or begin(), any number of write(), end(). Each
// gives false when the client is gone; then nothing more need be written. On the connection's loop.
class ResponseWriter {
 public:
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

  // Whether the client has closed its side; asks the system, waits for nothing.
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
  // The shape of an error that is found before a handler is chosen.
  std::function<Response(unsigned status, std::string_view code, std::string_view message)> error;
  std::function<bool()> draining;  // no further request after the one that is running
};

boost::asio::awaitable<void> serve_connection(boost::asio::ip::tcp::socket socket,
                                              std::shared_ptr<const ConnectionContext> context);

}  // namespace ocellus::server
