#include "server/routes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "server/answering.h"
#include "server/counting.h"
#include "server/dialects/anthropic.h"
#include "server/dialects/ollama.h"
#include "server/dialects/openai_chat.h"
#include "server/dialects/openai_responses.h"
#include "server/images.h"
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
  return openai_error({.status = 404,
                       .code = "model_not_found",
                       .message = short_message(
                           fmt::format("model: this server has no \"{}\"", name.substr(0, 100))),
                       .param = "model"});
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

// GET and HEAD: what is known without asking a model. `{}` at the end of a path takes the rest.
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
  asio::awaitable<Response> (*answer)(const ServedModels& models, std::string body);
  FormatError error;
};
constexpr SlowRoute kSlow[] = {
    {"/v1/images/inspect", inspect_image, openai_error},
    {"/v1/messages/count_tokens", count_anthropic_tokens, anthropic_error},
    {"/v1/responses/input_tokens", count_responses_tokens, openai_error},
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

class Routing {
 public:
  Routing(Site& site, HttpRequest& request, ResponseWriter& writer)
      : site_(site), request_(request), writer_(writer), path_(path_of(request)) {}

  asio::awaitable<void> run() {
    const FormatError shape = error_of_path(path_);
    if (const auto error = site_.access.check_origin(request_)) {
      co_await refuse(*error, shape);
      co_return;
    }
    const http::verb verb = request_.method();
    if (verb == http::verb::options) {
      Response none{.status = 204, .type = ""};
      co_await send(std::move(none));
    } else if (verb == http::verb::get || verb == http::verb::head) {
      co_await plain(shape);
    } else if (verb == http::verb::post) {
      co_await post(shape);
    } else {
      co_await not_found(shape);
    }
  }

 private:
  asio::awaitable<void> send(Response response) {
    for (auto& header : site_.access.cors_headers(request_)) response.headers.push_back(header);
    site_.metrics.responded(response.status);
    co_await writer_.send(std::move(response));
  }

  asio::awaitable<void> refuse(const ApiError& error, FormatError shape) {
    site_.metrics.refused(error.code);
    Response response = shape(error);
    if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
    co_await send(std::move(response));
  }

  asio::awaitable<void> plain(FormatError shape) {
    if (auto file = page_file(path_)) {
      co_await send(*std::move(file));
      co_return;
    }
    for (const PlainRoute& each : kPlain) {
      const char* const rest = match(each.path, path_);
      if (rest == nullptr) continue;
      if (const auto error = each.needs_key ? site_.access.check_key(request_) : std::nullopt) {
        co_await refuse(*error, each.error);
      } else {
        Response found = each.answer(
            site_, {rest, static_cast<std::size_t>(path_.data() + path_.size() - rest)});
        co_await send(std::move(found));
      }
      co_return;
    }
    co_await not_found(shape);
  }

  asio::awaitable<void> post(FormatError shape) {
    for (const AskRoute& each : kAsks) {
      if (each.path != path_) continue;
      if (const auto error = site_.access.check_key(request_)) {
        co_await refuse(*error, each.error);
        co_return;
      }
      auto parsed = each.parse(request_.body());
      request_.body() = std::string();  // the pictures are in the question now
      if (!parsed) {
        co_await refuse(parsed.error(), each.error);
        co_return;
      }
      co_await answer(site_.models, site_.metrics, std::move(parsed->generation), *parsed->format,
                      writer_);
      site_.metrics.responded(writer_.status());
      co_return;
    }
    for (const SlowRoute& each : kSlow) {
      if (each.path != path_) continue;
      if (const auto error = site_.access.check_key(request_)) {
        co_await refuse(*error, each.error);
      } else {
        Response found = co_await each.answer(site_.models, std::move(request_.body()));
        co_await send(std::move(found));
      }
      co_return;
    }
    for (const BodyRoute& each : kBodies) {
      if (each.path != path_) continue;
      if (const auto error = site_.access.check_key(request_)) {
        co_await refuse(*error, each.error);
      } else {
        Response found = each.answer(site_, request_.body());
        co_await send(std::move(found));
      }
      co_return;
    }
    co_await not_found(shape);
  }

  // Another path's method is 405.
  asio::awaitable<void> not_found(FormatError shape) {
    const bool get =
        page_file(path_).has_value() ||
        std::ranges::any_of(kPlain, [&](const auto& r) { return match(r.path, path_); });
    const auto here = [&](const auto& each) { return each.path == path_; };
    const bool post = std::ranges::any_of(kAsks, here) || std::ranges::any_of(kSlow, here) ||
                      std::ranges::any_of(kBodies, here);
    if (!get && !post) {
      const ApiError error{.status = 404,
                           .code = "not_found",
                           .message = short_message(fmt::format("{}: this server has no such path",
                                                                path_.substr(0, 200)))};
      co_await refuse(error, shape);
      co_return;
    }
    const ApiError error{.status = 405,
                         .code = "method_not_allowed",
                         .message = fmt::format("expected {}", get ? "GET" : "POST")};
    site_.metrics.refused(error.code);
    Response response = shape(error);
    response.headers.emplace_back("Allow", get ? "GET, HEAD" : "POST");
    co_await send(std::move(response));
  }

  Site& site_;
  HttpRequest& request_;
  ResponseWriter& writer_;
  const std::string_view path_;
};

}  // namespace

asio::awaitable<void> route(Site& site, HttpRequest& request, ResponseWriter& writer) {
  Routing routing(site, request, writer);
  co_await routing.run();
}

}  // namespace ocellus::server
