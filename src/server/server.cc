#include "server/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>
#include <condition_variable>
#include <list>
#include <mutex>

#include "base/result.h"
#include "base/utf8.h"
#include "runtime/spawn.h"
#include "server/dialects/openai_chat.h"
#include "server/ids.h"
#include "server/lifetime.h"
#include "server/routes.h"

namespace ocellus::server {
namespace {

namespace asio = boost::asio;
namespace bj = boost::json;
using asio::ip::tcp;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

// A client's id if it is one that may stand in a header and a log, else a new one.
std::string request_id(const HttpRequest& request) {
  constexpr std::size_t kMax = 128;
  const std::string_view given = field_of(request, "x-request-id");
  const bool usable = !given.empty() && given.size() <= kMax &&
                      std::ranges::all_of(given, [](char c) { return c > 0x20 && c < 0x7f; });
  return usable ? std::string(given) : new_id("req_");
}

// Of W3C's traceparent, version-traceid-parent-flags (https://www.w3.org/TR/trace-context/); empty
// where it is none.
std::string trace_id(const HttpRequest& request) {
  const std::string_view given = field_of(request, "traceparent");
  if (given.size() < 55 || given[2] != '-' || given[35] != '-') return {};
  const std::string_view id = given.substr(3, 32);
  const bool hex = std::ranges::all_of(
      id, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return hex ? std::string(id) : std::string();
}

void add_facts(const ResponseWriter::Facts& facts, bj::object& line) {
  if (facts.model.empty()) return;
  const AnswerStats& s = facts.stats;
  line["model"] = facts.model;
  line["tokens"] = bj::object{{"prompt", s.prompt_tokens},
                              {"image", s.image_tokens},
                              {"unbounded_image", s.unbounded_image_tokens},
                              {"cached", s.cached_tokens},
                              {"generated", s.generated_tokens}};
  line["stages"] = bj::object{{"queue", s.queue_seconds},
                              {"fetch", s.fetch_seconds},
                              {"image", s.image_seconds},
                              {"tower", s.tower_seconds},
                              {"first_token", s.first_token_seconds},
                              {"total", s.total_seconds}};
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(runtime::Runtime& runtime, ServerOptions options, ServedModels models, Access access)
      : runtime_(runtime),
        options_(std::move(options)),
        site_(new Site{.runtime = runtime,
                       .models = std::move(models),
                       .metrics = {},
                       .access = std::move(access),
                       .draining = [this] { return draining_.load(); }}),
        acceptor_(runtime.executor()) {}

  Status listen() {
    boost::system::error_code ec;
    const auto address = asio::ip::make_address(options_.host, ec);
    if (ec) {
      return base::make_error(ErrorCode::kInvalidArgument,
                              "--host: expected an address such as 127.0.0.1 or ::1, found \"{}\"",
                              options_.host);
    }
    const tcp::endpoint endpoint(address, options_.port);
    acceptor_.open(endpoint.protocol(), ec);
    if (!ec) acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) acceptor_.bind(endpoint, ec);
    if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) {
      return base::make_error(ErrorCode::kIo, "{} port {}: {}", options_.host, options_.port,
                              ec.message());
    }
    port_ = acceptor_.local_endpoint(ec).port();
    return {};
  }

  void run() {
    context_ = std::make_shared<ConnectionContext>();
    context_->handler = [self = weak_from_this()](HttpRequest& request, ResponseWriter& writer) {
      return handle(self.lock(), request, writer);
    };
    context_->error = [](unsigned status, std::string_view code, std::string_view message) {
      return openai_error(
          {.status = status, .code = std::string(code), .message = short_message(message)});
    };
    context_->refuse_early = [site = site_](const HttpRequest& header) {
      auto response = server::refuse_early(*site, header);
      if (response) response->headers.emplace_back("x-request-id", request_id(header));
      return response;
    };
    context_->begin_request = [self = weak_from_this()]() -> std::shared_ptr<void> {
      const auto there = self.lock();
      return there ? std::make_shared<Busy>(there) : nullptr;
    };
    context_->draining = [self = weak_from_this()] {
      const auto there = self.lock();
      return !there || there->draining_.load();
    };
    sweeping_ = runtime::spawn<bool>(runtime_, sweep(site_));
    listening_ = runtime::spawn<bool>(runtime_, accept(shared_from_this()));
  }

  std::uint16_t port() const { return port_; }
  std::size_t model_count() const { return site_->models.all().size(); }

  void drain() {
    draining_ = true;
    std::unique_lock lock(mutex_);
    const auto ended = [&] { return stopped_; };
    if (changed_.wait_for(lock, options_.drain_delay, ended)) return;
    lock.unlock();
    listening_.cancel();
    listening_.wait();
    lock.lock();
    // Idle connections hold nothing up: only requests count.
    changed_.wait_for(lock, options_.drain_timeout, [&] { return stopped_ || requests_ == 0; });
    lock.unlock();
    stop();
  }

  void stop() {
    draining_ = true;
    listening_.cancel();
    sweeping_.cancel();
    std::list<Entry> all;
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      all.swap(connections_);
    }
    changed_.notify_all();
    for (Entry& entry : all) entry.task.cancel();
    for (Entry& entry : all) entry.task.wait(runtime::Deadline::after(std::chrono::seconds(2)));
  }

 private:
  struct Entry {
    runtime::Task<bool> task;
  };

  // Counts the requests that are being read or answered, from their header on.
  class Busy {
   public:
    explicit Busy(std::shared_ptr<Impl> server) : server_(std::move(server)) {
      const std::lock_guard lock(server_->mutex_);
      ++server_->requests_;
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    ~Busy() {
      {
        const std::lock_guard lock(server_->mutex_);
        --server_->requests_;
      }
      server_->changed_.notify_all();
    }

   private:
    const std::shared_ptr<Impl> server_;
  };

  static asio::awaitable<void> handle(std::shared_ptr<Impl> self, HttpRequest& request,
                                      ResponseWriter& writer) {
    if (!self) co_return;
    const auto begun = std::chrono::steady_clock::now();
    const std::string id = request_id(request);
    writer.add_header("x-request-id", id);
    const std::string method(request.method_string().data(), request.method_string().size());
    const std::string path(path_of(request).substr(0, 200)), trace = trace_id(request);
    co_await route(*self->site_, request, writer);
    if (!self->options_.access_log) co_return;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    bj::object line = {{"time", unix_seconds()},    {"request_id", id},
                       {"method", method},          {"path", base::replace_invalid_utf8(path)},
                       {"status", writer.status()}, {"bytes", writer.bytes()},
                       {"seconds", took.count()}};
    if (!trace.empty()) line["trace_id"] = trace;
    add_facts(writer.facts, line);
    self->options_.access_log(bj::serialize(line));
  }

  static asio::awaitable<Result<bool>> accept(std::shared_ptr<Impl> self) {
    // On this coroutine's loop, so that its end and the next connection do not meet.
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const tcp protocol = self->acceptor_.local_endpoint().protocol();
    tcp::acceptor acceptor(executor, protocol, self->acceptor_.release());
    while (true) {
      auto [ec, socket] = co_await acceptor.async_accept(self->runtime_.executor(), kAwait);
      if (ec == asio::error::operation_aborted) co_return true;
      if (ec) {
        // Out of descriptors: those that are there go on, and one may close.
        asio::steady_timer pause(executor, std::chrono::milliseconds(50));
        co_await pause.async_wait(kAwait);
        continue;
      }
      self->admit(std::move(socket));
    }
  }

  // Until it is cancelled.
  static asio::awaitable<Result<bool>> sweep(std::shared_ptr<Site> site) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    while (true) {
      timer.expires_after(std::chrono::milliseconds(500));
      const auto [ec] = co_await timer.async_wait(kAwait);
      if (ec) co_return true;
      unload_idle_models(*site);
    }
  }

  static asio::awaitable<Result<bool>> serve(tcp::socket socket,
                                             std::shared_ptr<const ConnectionContext> context,
                                             std::shared_ptr<Site> /* kept while it answers */) {
    // On this coroutine's loop from here on: its timers and its reads must not meet.
    boost::system::error_code ec;
    const auto endpoint = socket.local_endpoint(ec);
    if (ec) co_return false;
    const auto handle = socket.release(ec);
    if (ec) co_return false;
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    tcp::socket own(executor, endpoint.protocol(), handle);
    co_await serve_connection(std::move(own), std::move(context));
    co_return true;
  }

  void admit(tcp::socket socket) {
    const std::lock_guard lock(mutex_);
    if (stopped_ || open_ >= options_.max_connections) return;  // closes it
    std::erase_if(connections_, [](const Entry& entry) { return entry.task.ready(); });
    ++open_;
    site_->metrics.connections(1);
    connections_.push_back({});
    connections_.back().task =
        runtime::spawn<bool>(runtime_, serve(std::move(socket), context_, site_),
                             {.on_done = [self = weak_from_this(), site = site_] {
                               site->metrics.connections(-1);
                               if (const auto there = self.lock()) --there->open_;
                             }});
  }

  runtime::Runtime& runtime_;
  const ServerOptions options_;
  std::shared_ptr<Site> site_;
  std::shared_ptr<ConnectionContext> context_;
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  runtime::Task<bool> listening_, sweeping_;
  std::atomic<bool> draining_ = false;
  std::atomic<int> open_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Entry> connections_;  // guarded by mutex_, as are the next two
  int requests_ = 0;
  bool stopped_ = false;
};

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { impl_->stop(); }

Result<std::unique_ptr<Server>> Server::start(runtime::Runtime& runtime, ServerOptions options) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(options.host, ec);
  const bool loopback = !ec && address.is_loopback();
  if (!loopback && !ec && options.keys.empty() && !options.open_to_all) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "--host {}: others would reach it: expected --api-key-file FILE, or "
                            "--open-to-all to do without",
                            options.host);
  }
  OCELLUS_ASSIGN_OR_RETURN(Registry registry, Registry::create({.threads = options.threads}));
  OCELLUS_ASSIGN_OR_RETURN(ServedModels models,
                           ServedModels::open(registry, std::move(options.models)));
  Access access(options.keys, options.allow_origins, loopback);
  auto impl =
      std::make_shared<Impl>(runtime, std::move(options), std::move(models), std::move(access));
  OCELLUS_RETURN_IF_ERROR(impl->listen());
  impl->run();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const { return impl_->port(); }
std::size_t Server::model_count() const { return impl_->model_count(); }
void Server::drain() { impl_->drain(); }
void Server::stop() { impl_->stop(); }

}  // namespace ocellus::server
