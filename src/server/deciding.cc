#include "server/deciding.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/asio/this_coro.hpp>
#include <deque>

#include "base/result.h"
#include "server/dialects/decisions.h"
#include "server/dialects/openai_chat.h"
#include "server/signal.h"
#include "vision/decision.h"

namespace ocellus::server {
namespace {

namespace asio = boost::asio;

// Scores of one request that wait in the model's queue at the same time: enough for a step of the
// engine, and room is left for others.
constexpr std::size_t kTogether = 4;
constexpr std::chrono::milliseconds kLook{100};

// Scores the answers to one question.
class Scoring {
 public:
  Scoring(ServedModel& model, const vision::DecisionPrompt& prompt, AnswerStats& sum,
          ResponseWriter& writer)
      : model_(model), prompt_(prompt), sum_(sum), writer_(writer) {}

  asio::awaitable<Result<std::vector<double>>> run() {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    signal_ = std::make_shared<Signal>(executor);
    scores_.assign(prompt_.continuations.size(), 0);
    while (next_ < scores_.size() || !waiting_.empty()) {
      if (Status asked = ask(); !asked) co_return std::unexpected(asked.error());
      auto done = collect();
      if (!done) co_return std::unexpected(done.error());
      if (*done) continue;
      if (writer_.client_gone())
        co_return base::make_error(ErrorCode::kCancelled, "the client has gone");
      co_await signal_->wait(kLook);
    }
    co_return std::move(scores_);
  }

 private:
  struct Waiting {
    std::size_t index;
    AnswerStream stream;
  };

  Status ask() {
    // The first goes alone: it leaves what the others share.
    const std::size_t together = finished_ == 0 ? 1 : kTogether;
    while (next_ < scores_.size() && waiting_.size() < together) {
      AskOptions options;
      options.score = prompt_.continuations[next_].text;
      auto stream = model_.model.ask(prompt_.messages, std::move(options));
      if (!stream && stream.error().code == ErrorCode::kUnavailable && !waiting_.empty())
        return {};  // the queue is full, of ours too
      if (!stream) return std::unexpected(std::move(stream).error());
      stream->on_change([signal = signal_] { signal->set(); });
      waiting_.push_back({next_++, *std::move(stream)});
    }
    return {};
  }

  // Whether some have finished.
  Result<bool> collect() {
    bool any = false;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      OCELLUS_ASSIGN_OR_RETURN(const StreamPoll found, it->stream.try_next());
      if (found.state != StreamPoll::State::kEnd) {
        any = any || found.state == StreamPoll::State::kPiece;
        ++it;
        continue;
      }
      const AnswerStats stats = it->stream.stats();
      scores_[it->index] = stats.log_probability;
      sum_.prompt_tokens += stats.prompt_tokens;
      sum_.image_tokens += stats.image_tokens;
      sum_.cached_tokens += stats.cached_tokens;
      it = waiting_.erase(it);
      ++finished_;
      any = true;
    }
    return any;
  }

  ServedModel& model_;
  const vision::DecisionPrompt& prompt_;
  AnswerStats& sum_;
  ResponseWriter& writer_;
  std::shared_ptr<Signal> signal_;
  std::vector<double> scores_;
  std::deque<Waiting> waiting_;
  std::size_t next_ = 0, finished_ = 0;
};

asio::awaitable<Response> decide(Site& site, std::expected<DecisionRequest, ApiError> request,
                                 ResponseWriter& writer) {
  if (!request) co_return openai_error(request.error());
  const std::shared_ptr<ServedModel> model = site.models.find(request->model);
  if (model == nullptr) {
    const ApiError error = no_such_model(request->model);
    co_return openai_error(error);
  }
  Decision decision;
  AnswerStats sum;
  for (const DecisionQuestion& question : request->questions) {
    const vision::DecisionPrompt prompt = vision::decision_prompt(request->input, question);
    Scoring scoring(*model, prompt, sum, writer);
    const auto scores = co_await scoring.run();
    if (!scores) {
      const ApiError error = api_error(scores.error());
      site.metrics.refused(error.code);
      Response response = openai_error(error);
      if (error.status == 429) response.headers.emplace_back("Retry-After", "1");
      co_return response;
    }
    decision.answers.push_back(vision::weigh(question, prompt, *scores));
  }
  decision.prompt_tokens = sum.prompt_tokens;
  decision.cached_tokens = sum.cached_tokens;
  model->loaded = true;
  writer.facts = {.model = model->name(), .stats = sum};
  Response response = request->shape(*request, decision, model->name());
  if (!request->ignored.empty()) {
    response.headers.emplace_back("x-ocellus-ignored",
                                  fmt::format("{}", fmt::join(request->ignored, ", ")));
  }
  co_return response;
}

}  // namespace

asio::awaitable<Response> answer_decisions(Site& site, std::string body, ResponseWriter& writer) {
  auto request = parse_decisions(body);
  body = std::string();
  Response response = co_await decide(site, std::move(request), writer);
  co_return response;
}

asio::awaitable<Response> answer_systemone(Site& site, std::string body, ResponseWriter& writer) {
  auto request = parse_systemone(body);
  body = std::string();
  Response response = co_await decide(site, std::move(request), writer);
  co_return response;
}

}  // namespace ocellus::server
