#include "server/counting.h"

#include <fmt/format.h>

#include "runtime/blocking.h"
#include "runtime/runtime.h"
#include "server/dialects/anthropic.h"

namespace ocellus::server {

namespace asio = boost::asio;

asio::awaitable<Response> count_anthropic_tokens(const ServedModels& models, std::string body) {
  constexpr std::chrono::seconds kLongest{60};
  auto parsed = parse_anthropic(body);
  body = std::string();
  if (!parsed) co_return anthropic_error(parsed.error());
  const std::shared_ptr<ServedModel> model = models.find(parsed->generation.model);
  if (model == nullptr) {
    const ApiError error{.status = 404,
                         .code = "model_not_found",
                         .message = "model: expected one that this server has",
                         .param = "model"};
    co_return anthropic_error(error);
  }
  std::function<Result<std::int64_t>()> job = [model,
                                               messages = std::move(parsed->generation.messages)] {
    return model->model.count_tokens(messages);
  };
  const auto count = co_await runtime::run_blocking<std::int64_t>(
      runtime::shared_runtime()->file_pool(), std::move(job), runtime::Deadline::after(kLongest));
  if (!count) co_return anthropic_error(api_error(count.error()));
  Response response{.body = fmt::format("{{\"input_tokens\":{}}}", *count)};
  co_return response;
}

}  // namespace ocellus::server
