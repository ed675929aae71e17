#include "server/counting.h"

#include <fmt/format.h>

#include "runtime/blocking.h"
#include "server/dialects/anthropic.h"
#include "server/dialects/openai_chat.h"
#include "server/dialects/openai_responses.h"

namespace ocellus::server {

namespace asio = boost::asio;

namespace {

asio::awaitable<Response> count(Site& site, std::string body, ParseRequest parse,
                                FormatError error_of, std::string_view before) {
  constexpr std::chrono::seconds kLongest{60};
  auto parsed = parse(body);
  body = std::string();
  if (!parsed) co_return error_of(parsed.error());
  const std::shared_ptr<ServedModel> model = site.models.find(parsed->generation.model);
  if (model == nullptr) {
    const ApiError error = no_such_model(parsed->generation.model);
    co_return error_of(error);
  }
  std::function<Result<std::int64_t>()> job = [model,
                                               messages = std::move(parsed->generation.messages)] {
    return model->model.count_tokens(messages);
  };
  const auto count = co_await runtime::run_blocking<std::int64_t>(
      site.runtime.file_pool(), std::move(job), runtime::Deadline::after(kLongest));
  if (!count) co_return error_of(api_error(count.error()));
  Response response{.body = fmt::format("{{{}\"input_tokens\":{}}}", before, *count)};
  co_return response;
}

}  // namespace

asio::awaitable<Response> count_anthropic_tokens(Site& site, std::string body, ResponseWriter&) {
  return count(site, std::move(body), parse_anthropic, anthropic_error, "");
}

asio::awaitable<Response> count_responses_tokens(Site& site, std::string body, ResponseWriter&) {
  return count(site, std::move(body), parse_openai_responses, openai_error,
               "\"object\":\"response.input_tokens\",");
}

}  // namespace ocellus::server
