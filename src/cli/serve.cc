// ocellus serve: models over HTTP.
#include <fmt/format.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <future>
#include <memory>

#include "base/atomic_file.h"
#include "base/read_file.h"
#include "base/result.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "runtime/runtime.h"
#include "server/access.h"
#include "server/server.h"

namespace ocellus::cli {
namespace {

using base::make_error;

struct ServeCommand {
  std::vector<std::string> models;  // NAME[,ALIAS...]=PATH
  ModelFlags settings;
  server::ServerOptions options;
  std::string port_file, api_key_file;
  std::size_t queue = 8;
  double drain_timeout = 30, drain_delay = 0;
  double ttl = -1;  // below 0: models stay
  bool access_log = false;

  void add_to(CLI::App& command);
  Result<server::ServerOptions> server_options() const;
  Result<int> run() const;
};

// "NAME,ALIAS=PATH"; a path alone has its last part as its name.
server::ModelSpec parse_model(const std::string& text) {
  server::ModelSpec spec;
  std::error_code ec;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || std::filesystem::exists(text, ec)) {
    const std::filesystem::path path(text);
    spec.names = {(path.has_filename() ? path : path.parent_path()).filename().string()};
    spec.options.path = text;
    return spec;
  }
  spec.options.path = text.substr(equals + 1);
  const std::string names = text.substr(0, equals);
  for (std::size_t at = 0; at <= names.size();) {
    const std::size_t end = std::min(names.find(',', at), names.size());
    spec.names.push_back(names.substr(at, end - at));
    at = end + 1;
  }
  return spec;
}

// One key a line; blank lines and those that begin with # are none.
Result<std::vector<std::string>> read_keys(const std::string& path) {
  constexpr std::size_t kMaxBytes = 1 << 20, kMaxKeys = 10'000;
  OCELLUS_ASSIGN_OR_RETURN(const std::string text, base::read_file(path, kMaxBytes));
  std::vector<std::string> keys;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string key = text.substr(at, end - at);
    at = end + 1;
    key.erase(key.find_last_not_of(" \t\r") + 1);
    if (key.empty() || key.front() == '#') continue;
    if (key.size() > server::kMaxKeyBytes || key.find('\0') != std::string::npos) {
      return make_error(ErrorCode::kInvalidArgument,
                        "{}: key {}: expected at most {} bytes, and no NUL", path, keys.size() + 1,
                        server::kMaxKeyBytes);
    }
    keys.push_back(std::move(key));
  }
  if (!keys.empty() && keys.size() <= kMaxKeys) return keys;
  return make_error(ErrorCode::kInvalidArgument, "{}: expected 1 to {} keys, one a line, found {}",
                    path, kMaxKeys, keys.size());
}

void ServeCommand::add_to(CLI::App& command) {
  const auto add = [&](const char* name, auto& value, const char* text) {
    return command.add_option(name, value, text)->group("Server");
  };
  command
      .add_option(
          "-m,--model", models,
          "A model and the names it is asked by; loaded when it is first asked (repeatable; "
          "default: the demo model, as demo)")
      ->type_name("NAME[,ALIAS...]=PATH")
      ->allow_extra_args(false)
      ->group("Model");
  add("--host", options.host, "Address to listen on (default: 127.0.0.1)")->type_name("ADDRESS");
  add("--port", options.port, "Port; 0: any that is free (default: 8080)")->type_name("N");
  add("--port-file", port_file, "Write the port here once it listens")->type_name("FILE");
  add("--queue", queue, "Requests that wait for a model beyond those it answers (default: 8)")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000));
  add("--api-key-file", api_key_file, "Ask for one of these keys, one a line")->type_name("FILE");
  command
      .add_flag("--open-to-all", options.open_to_all, "Listen beyond this machine without a key")
      ->group("Server");
  add("--allow-origin", options.allow_origins,
      "Let this web page ask, such as https://example.com (repeatable)")
      ->type_name("ORIGIN")
      ->allow_extra_args(false);
  add("--ttl", ttl,
      "Unload a model that was idle for so long; it is loaded again when asked (default: never)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 1e9));
  add("--drain-delay", drain_delay, "After SIGTERM: not ready, but answering, so long (default: 0)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0));
  add("--drain-timeout", drain_timeout, "Then wait so long for answers to end (default: 30)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 3600.0));
  command.add_flag("--access-log", access_log, "One line of JSON on stderr for each request")
      ->group("Server");
  settings.add_settings_to(command);
}

Result<server::ServerOptions> ServeCommand::server_options() const {
  server::ServerOptions all = options;
  std::vector<std::string> specs = models;
  if (specs.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(const std::string demo, find_default_model());
    specs.push_back("demo=" + demo);
  }
  const auto time = [](double seconds) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  };
  for (const std::string& text : specs) {
    server::ModelSpec spec = parse_model(text);
    ModelFlags flags = settings;
    flags.model = spec.options.path.string();
    OCELLUS_ASSIGN_OR_RETURN(spec.options, flags.options());
    spec.queue = queue;
    if (ttl >= 0) spec.ttl = time(ttl);
    spec.options.fetch.explain_errors = false;
    all.models.push_back(std::move(spec));
  }
  if (!api_key_file.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(all.keys, read_keys(api_key_file));
  }
  all.drain_delay = time(drain_delay);
  all.drain_timeout = time(drain_timeout);
  all.threads = settings.threads;
  if (access_log) {
    all.access_log = [](std::string_view line) {
      std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
    };
  }
  return all;
}

// SIGINT or SIGTERM, once: a second one ends the process.
class FirstSignal : public std::enable_shared_from_this<FirstSignal> {
 public:
  explicit FirstSignal(runtime::Runtime& runtime) : signals_(runtime.executor(), SIGINT, SIGTERM) {}

  void listen() {
    signals_.async_wait([self = shared_from_this()](boost::system::error_code ec, int number) {
      // From here on the default action is back.
      boost::system::error_code ignored;
      self->signals_.clear(ignored);
      self->number_.set_value(ec ? SIGTERM : number);
    });
  }
  int wait() { return number_.get_future().get(); }
  void forget() {
    boost::system::error_code ignored;
    signals_.cancel(ignored);
  }

 private:
  boost::asio::signal_set signals_;
  std::promise<int> number_;
};

Result<int> ServeCommand::run() const {
  OCELLUS_ASSIGN_OR_RETURN(runtime::Runtime* const runtime, runtime::try_shared_runtime());
  OCELLUS_ASSIGN_OR_RETURN(server::ServerOptions all, server_options());
  // Before the port is told, so that no signal is lost.
  const auto signal = std::make_shared<FirstSignal>(*runtime);
  signal->listen();
  const std::unique_ptr<FirstSignal, void (*)(FirstSignal*)> at_end(
      signal.get(), [](FirstSignal* listening) { listening->forget(); });
  OCELLUS_ASSIGN_OR_RETURN(const std::unique_ptr<server::Server> server,
                           server::Server::start(*runtime, std::move(all)));
  if (!port_file.empty()) {
    const std::string text = fmt::format("{}\n", server->port());
    OCELLUS_RETURN_IF_ERROR(base::write_file_atomically(port_file, std::as_bytes(std::span(text))));
  }
  const std::string host =
      options.host.find(':') == std::string::npos ? options.host : "[" + options.host + "]";
  OCELLUS_RETURN_IF_ERROR(print(fmt::format("http://{}:{}/\n", host, server->port())));
  if (signal->wait() == SIGINT) {
    server->stop();
    return 130;
  }
  server->drain();
  return 0;
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("serve",
                         "Answer over HTTP, as OpenAI, Anthropic and Ollama do, and show a "
                         "page");
  command->footer(
      "  ocellus serve\n"
      "  ocellus serve --model llava=models/llava-1.5-7b-q4.ocellus --port 9000\n"
      "  ocellus serve --host 0.0.0.0 --api-key-file keys.txt\n");
  auto flags = std::make_shared<ServeCommand>();
  flags->add_to(*command);
  command->callback([flags, &action] {
    action = [flags] {
      const Result<int> code = flags->run();
      return code ? *code : report(code.error());
    };
  });
}

}  // namespace ocellus::cli
