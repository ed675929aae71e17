#include "server/routes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "ocellus/ocellus_version.h"
#include "runtime/blocking.h"
#include "server/answering.h"
#include "server/counting.h"
#include "server/deciding.h"
#include "server/dialects/anthropic.h"
#include "server/dialects/ollama.h"
#include "server/dialects/openai_chat.h"
#include "server/dialects/openai_responses.h"
#include "server/images.h"
#include "server/lifetime.h"
#include "server/page.h"

namespace ocellus::server {
namespace {

namespace asio = boost::asio;
namespace bj = boost::json;
namespace http = boost::beast::http;

Response json_response(const bj::value& value) { return {.body = bj::serialize(value)}; }

bj::object model_json(const ServedModel& model) {
  return {{"id", model.name()},
          {"object", "model"},
          {"created", 0},
          {"owned_by", "ocellus"},
          {"aliases", bj::array(model.names.begin() + 1, model.names.end())},
          {"architecture", bj::object{{"input_modalities", bj::array{"text", "image"}},
                                      {"output_modalities", bj::array{"text"}}}},
          {"meta", bj::object{{"n_ctx", model.context_tokens()}}},
          {"status", bj::object{{"value", model.loaded ? "loaded" : "unloaded"}}}};
}

Response list_models(const Site& site, std::string_view) {
  bj::array data;
  for (const auto& model : site.models.all()) data.push_back(model_json(*model));
  return json_response(bj::object{{"object", "list"}, {"data", std::move(data)}});
}

Response show_model(const Site& site, std::string_view name) {
  const std::shared_ptr<ServedModel> model = name.empty() ? nullptr : site.models.find(name);
  if (model != nullptr) return json_response(model_json(*model));
  return openai_error(no_such_model(name));
}

// As llama.cpp's server tells them; `query`: model=NAME, else the first.
Response props(const Site& site, std::string_view query) {
  constexpr std::string_view kKey = "model=";
  const std::size_t at = query.find(kKey);
  std::string_view name = at == std::string_view::npos ? "" : query.substr(at + kKey.size());
  name = name.substr(0, name.find('&'));
  const std::shared_ptr<ServedModel> model = site.models.find(name);
  if (model == nullptr) return show_model(site, name);
  return json_response(
      bj::object{{"default_generation_settings", bj::object{{"n_ctx", model->context_tokens()}}},
                 {"total_slots", model->options.max_sequences},
                 {"model_alias", model->name()},
                 {"modalities", bj::object{{"vision", true}, {"audio", false}}},
                 {"chat_template_caps", bj::object{{"supports_tools", false}}},
                 {"media_marker", "<__media__>"},
                 {"build_info", ocellus::version()}});
}

Response health(const Site&, std::string_view) {
  return json_response(bj::object{{"status", "ok"}});
}

Response ready(const Site& site, std::string_view) {
  if (!site.draining()) return json_response(bj::object{{"status", "ready"}});
  return {.status = 503, .body = R"({"status":"draining"})"};
}

Response metrics(const Site& site, std::string_view) {
  return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = site.metrics.text()};
}

// GET and HEAD: what is known without asking a model. `{}` at the end of a path takes the rest; the
// others are given the query.
struct PlainRoute {
  std::string_view path;
  Response (*answer)(const Site& site, std::string_view rest);
  bool needs_key = true;
  FormatError error = openai_error;
};
constexpr PlainRoute kPlain[] = {
    {"/health", health, false},
    {"/live", health, false},
    {"/ready", ready, false},
    {"/v1/health", health, false},
    {"/metrics", metrics},
    {"/props", props},
    {"/models", list_models},
    {"/v1/models", list_models},
    {"/v1/models/{}", show_model},
    {"/api/version", ollama_version, false, ollama_error},
    {"/api/tags", ollama_tags, true, ollama_error},
    {"/api/ps", ollama_ps, true, ollama_error},
};

// POST: what a model answers.
struct AskRoute {
  std::string_view path;
  ParseRequest parse;
  FormatError error;
};
constexpr AskRoute kAsks[] = {
    {"/v1/chat/completions", parse_openai_chat, openai_error},
    {"/chat/completions", parse_openai_chat, openai_error},
    {"/v1/responses", parse_openai_responses, openai_error},
    {"/v1/messages", parse_anthropic, anthropic_error},
    {"/api/chat", parse_ollama_chat, ollama_error},
    {"/api/generate", parse_ollama_generate, ollama_error},
};

// POST: small answers that need the body.
struct BodyRoute {
  std::string_view path;
  Response (*answer)(const Site& site, std::string_view body);
  FormatError error;
};
constexpr BodyRoute kBodies[] = {
    {"/api/show", ollama_show, ollama_error},
    {"/api/pull", ollama_pull, ollama_error},
};

// POST: answers that take a while, but are no generation.
struct SlowRoute {
  std::string_view path;
  asio::awaitable<Response> (*answer)(Site& site, std::string body, ResponseWriter& writer);
  FormatError error;
};
constexpr SlowRoute kSlow[] = {
    {"/v1/images/inspect", inspect_image, openai_error},
    {"/v1/messages/count_tokens", count_anthropic_tokens, anthropic_error},
    {"/v1/responses/input_tokens", count_responses_tokens, openai_error},
    {"/models/load", load_route, openai_error},
    {"/models/unload", unload_route, openai_error},
    {"/v1/decisions", answer_decisions, openai_error},
    {"/v1/systemone", answer_systemone, openai_error},
};

// Null when the path is another; else what stands for {}.
const char* match(std::string_view pattern, std::string_view path) {
  if (!pattern.ends_with("/{}")) return pattern == path ? path.data() + path.size() : nullptr;
  pattern.remove_suffix(2);
  return path.starts_with(pattern) ? path.data() + pattern.size() : nullptr;
}

FormatError error_of_path(std::string_view path) {
  if (path.starts_with("/api/")) return ollama_error;
  return path.starts_with("/v1/messages") ? anthropic_error : openai_error;
}

template <typename Routes>
const auto* find(const Routes& routes, std::string_view path) {
  const auto* const found =
      std::ranges::find_if(routes, [&](const auto& r) { return match(r.path, path) != nullptr; });
  return found == std::end(routes) ? nullptr : found;
}

bool has_post(std::string_view path) {
  return find(kAsks, path) || find(kSlow, path) || find(kBodies, path);
}

ApiError not_found(std::string_view path) {
  return {.status = 404,
          .code = "not_found",
          .message =
              short_message(fmt::format("{}: this server has no such path", path.substr(0, 200)))};
}

// What speaks against a request, by its header alone: where it comes from, its path, its method,
// its key.
struct Objection {
  ApiError error;
  std::string_view allow = {};  // of 405
};
std::optional<Objection> objection(const Site& site, const HttpRequest& request) {
  if (auto error = site.access.check_origin(request)) return Objection{*std::move(error)};
  const std::string_view path = path_of(request);
  const http::verb verb = request.method();
  if (verb == http::verb::options) return std::nullopt;
  const PlainRoute* const plain = find(kPlain, path);
  const bool page = page_file(path).has_value(), get = plain != nullptr || page,
             post = has_post(path);
  const bool reads = verb == http::verb::get || verb == http::verb::head;
  if (!get && !post) return Objection{not_found(path)};
  if ((reads && !get) || (verb == http::verb::post && !post) ||
      (!reads && verb != http::verb::post)) {
    const std::string_view allow = !post ? "GET, HEAD" : !get ? "POST" : "GET, HEAD, POST";
    return Objection{{.status = 405,
                      .code = "method_not_allowed",
                      .message = fmt::format("expected {}", get ? "GET" : "POST")},
                     allow};
  }
  const bool open = reads && (page || !plain->needs_key);
  if (auto error = open ? std::nullopt : site.access.check_key(request))
    return Objection{*std::move(error)};
  return std::nullopt;
}

Response refusal(Site& site, const HttpRequest& request, const Objection& objection) {
  site.metrics.refused(objection.error.code);
  site.metrics.responded(objection.error.status);
  Response response = error_of_path(path_of(request))(objection.error);
  if (objection.error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (!objection.allow.empty()) response.headers.emplace_back("Allow", objection.allow);
  for (auto& header : site.access.cors_headers(request)) response.headers.push_back(header);
  return response;
}

class Routing {
 public:
  Routing(Site& site, HttpRequest& request, ResponseWriter& writer)
      : site_(site), request_(request), writer_(writer), path_(path_of(request)) {}

  asio::awaitable<void> run() {
    if (const auto found = objection(site_, request_)) {
      Response response = refusal(site_, request_, *found);
      co_await writer_.send(std::move(response));
    } else if (request_.method() == http::verb::options) {
      Response none{.status = 204, .type = ""};
      co_await send(std::move(none));
    } else if (request_.method() == http::verb::post) {
      co_await post();
    } else {
      Response found_response = plain();
      co_await send(std::move(found_response));
    }
  }

 private:
  asio::awaitable<void> send(Response response) {
    for (auto& header : site_.access.cors_headers(request_)) response.headers.push_back(header);
    site_.metrics.responded(response.status);
    co_await writer_.send(std::move(response));
  }

  Response plain() const {
    // Programs that look for Ollama; the page says the same to those who take anything.
    const std::string_view accepts = field_of(request_, "accept");
    const auto takes = [&](std::string_view type) { return accepts.find(type) != accepts.npos; };
    if (path_ == "/" && !accepts.empty() && !takes("text/html") && !takes("*/*"))
      return {.type = "text/plain; charset=utf-8", .body = "Ollama is running"};
    if (auto file = page_file(path_)) return *std::move(file);
    const PlainRoute& route = *find(kPlain, path_);
    const char* const rest = match(route.path, path_);
    if (route.path.ends_with("/{}"))
      return route.answer(site_,
                          {rest, static_cast<std::size_t>(path_.data() + path_.size() - rest)});
    const std::string_view target(request_.target().data(), request_.target().size());
    const std::size_t query = target.find('?');
    return route.answer(site_, query == target.npos ? "" : target.substr(query + 1));
  }

  asio::awaitable<void> post() {
    if (const AskRoute* const ask = find(kAsks, path_)) {
      co_await generate(*ask);
    } else if (const SlowRoute* const slow = find(kSlow, path_)) {
      Response found = co_await slow->answer(site_, std::move(request_.body()), writer_);
      co_await send(std::move(found));
    } else {
      Response found = find(kBodies, path_)->answer(site_, request_.body());
      co_await send(std::move(found));
    }
  }

  asio::awaitable<void> generate(const AskRoute& route) {
    auto parsed = co_await parse(route);
    if (!parsed) {
      site_.metrics.refused(parsed.error().code);
      Response response = route.error(parsed.error());
      if (parsed.error().status == 429) response.headers.emplace_back("Retry-After", "1");
      co_await send(std::move(response));
      co_return;
    }
    if (parsed->generation.load_only) {
      Response done = co_await load_only(site_, parsed->generation, *parsed->format);
      co_await send(std::move(done));
      co_return;
    }
    co_await answer(site_.models, site_.metrics, std::move(parsed->generation), *parsed->format,
                    writer_);
    site_.metrics.responded(writer_.status());
  }

  // Large bodies on a thread of their own: decoding 64 MiB of base64 takes longer than others'
  // requests should wait.
  asio::awaitable<std::expected<ParsedRequest, ApiError>> parse(const AskRoute& route) {
    constexpr std::size_t kSmall = std::size_t{64} << 10;
    using Parsed = std::expected<ParsedRequest, ApiError>;
    const auto body = std::make_shared<std::string>(std::move(request_.body()));
    request_.body() = std::string();  // the pictures are in the question now
    if (body->size() <= kSmall) co_return route.parse(*body);
    std::function<Result<std::shared_ptr<Parsed>>()> job = [body, read = route.parse] {
      return std::make_shared<Parsed>(read(*body));
    };
    const auto done =
        co_await runtime::run_blocking<std::shared_ptr<Parsed>>(site_.parsers, std::move(job));
    if (!done) co_return std::unexpected(api_error(done.error()));
    co_return std::move(**done);
  }

  Site& site_;
  HttpRequest& request_;
  ResponseWriter& writer_;
  const std::string_view path_;
};

}  // namespace

std::optional<Response> refuse_early(Site& site, const HttpRequest& header) {
  const auto found = objection(site, header);
  if (!found) return std::nullopt;
  return refusal(site, header, *found);
}

asio::awaitable<void> route(Site& site, HttpRequest& request, ResponseWriter& writer) {
  Routing routing(site, request, writer);
  co_await routing.run();
}

}  // namespace ocellus::server
