// The HTTP server: one port, the models behind it, and the dialects in which they are asked.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "runtime/runtime.h"
#include "server/models.h"

namespace ocellus::server {

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address; beyond loopback it takes keys or open_to_all
  std::uint16_t port = 8080;       // 0: any that is free
  std::vector<ModelSpec> models;
  std::vector<std::string> keys;           // one of them is asked for, unless there are none
  bool open_to_all = false;                // no key though strangers may reach it
  std::vector<std::string> allow_origins;  // web pages from elsewhere: "https://example.com"
  std::chrono::milliseconds drain_timeout{30'000};
  std::chrono::milliseconds drain_delay{0};
  int max_connections = 16'384;
  int threads = 0;  // compute threads; 0: all cores
  // One JSON object for each request, without pictures, prompts and keys. From loop threads.
  std::function<void(std::string_view line)> access_log;
};

// Any thread. Destroying it ends everything at once.
class Server {
 public:
  // Listens when it returns. kInvalidArgument for options that do not hold together, kIo when the
  // port cannot be had, kModelNotFound.
  static Result<std::unique_ptr<Server>> start(runtime::Runtime& runtime, ServerOptions options);
  ~Server();

  std::uint16_t port() const;
  std::size_t model_count() const;
  // Not ready from now on; after drain_delay no new connections, after drain_timeout no old ones.
  // Waits until all answers are out, or abandoned. Once.
  void drain();
  // Every connection is closed now. A drain() that waits returns.
  void stop();

 private:
  class Impl;
  explicit Server(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace ocellus::server
