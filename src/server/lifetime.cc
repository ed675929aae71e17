#include "server/lifetime.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "base/log.h"
#include "runtime/blocking.h"
#include "server/dialects/openai_chat.h"
#include "server/fields.h"

namespace ocellus::server {
namespace {

namespace asio = boost::asio;
namespace bj = boost::json;

std::expected<std::shared_ptr<ServedModel>, ApiError> named_model(const Site& site,
                                                                  std::string_view body) {
  const auto document = parse_body(body);
  if (!document) return std::unexpected(document.error());
  Fields fields(*document);
  const std::string name = fields.text("model").value_or("");
  fields.finish();
  if (fields.error()) return std::unexpected(*fields.error());
  auto model = name.empty() ? nullptr : site.models.find(name);
  if (model == nullptr) return std::unexpected(no_such_model(name));
  return model;
}

}  // namespace

asio::awaitable<Status> load_model(Site& site, std::shared_ptr<ServedModel> model) {
  constexpr std::chrono::minutes kLongest{10};
  std::function<Result<bool>()> job = [model]() -> Result<bool> {
    if (Status status = model->model.load(); !status) return std::unexpected(status.error());
    return true;
  };
  const auto done = co_await runtime::run_blocking<bool>(site.runtime.file_pool(), std::move(job),
                                                         runtime::Deadline::after(kLongest));
  if (!done) co_return std::unexpected(done.error());
  model->loaded = true;
  model->rest({});
  co_return Status();
}

void unload_model(ServedModel& model) {
  if (!model.loaded.exchange(false)) return;
  if (const Status status = model.model.drain(); !status) {
    model.loaded = true;
    base::log(base::LogLevel::kWarning, status.error().message);
  }
}

void unload_idle_models(const Site& site) {
  for (const auto& model : site.models.all())
    if (model->loaded && model->running == 0 && model->is_overdue()) unload_model(*model);
}

asio::awaitable<Response> load_only(Site& site, const Generation& generation,
                                    AnswerFormat& format) {
  const std::shared_ptr<ServedModel> model = site.models.find(generation.model);
  if (model == nullptr) co_return format.refusal(no_such_model(generation.model));
  format.answered_by(model->name());
  const bool unload = generation.keep && generation.keep->count() == 0;
  if (unload) {
    unload_model(*model);
    co_return format.loaded(false);
  }
  const Status status = co_await load_model(site, model);
  if (!status) co_return format.refusal(api_error(status.error()));
  model->rest(generation.keep);
  co_return format.loaded(true);
}

asio::awaitable<Response> load_route(Site& site, std::string body, ResponseWriter&) {
  const auto model = named_model(site, body);
  if (!model) co_return openai_error(model.error());
  const Status status = co_await load_model(site, *model);
  if (!status) co_return openai_error(api_error(status.error()));
  Response response{.body = R"({"success":true})"};
  co_return response;
}

asio::awaitable<Response> unload_route(Site& site, std::string body, ResponseWriter&) {
  const auto model = named_model(site, body);
  if (!model) co_return openai_error(model.error());
  unload_model(**model);
  Response response{.body = R"({"success":true})"};
  co_return response;
}

}  // namespace ocellus::server
