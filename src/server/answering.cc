#include "server/answering.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/asio/this_coro.hpp>

#include "server/signal.h"

namespace ocellus::server {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

// Before the first event the status is open; nothing may be silent for longer than the second.
constexpr std::chrono::milliseconds kOpenStatus{500};
constexpr std::chrono::seconds kSilence{10};
// How often a client that may have gone is looked for.
constexpr std::chrono::milliseconds kLook{100};

// Keeps the gauges right whatever ends the answer.
class Counted {
 public:
  Counted(Metrics& metrics, ServedModel& model)
      : metrics_(metrics), model_(model), admitted_(model.running++ < model.room) {
    metrics_.waiting(model_.name(), 1);
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() {
    --model_.running;
    started_ ? metrics_.running(model_.name(), -1) : metrics_.waiting(model_.name(), -1);
  }
  bool admitted() const { return admitted_; }
  void start() {
    if (std::exchange(started_, true)) return;
    metrics_.waiting(model_.name(), -1);
    metrics_.running(model_.name(), 1);
  }

 private:
  Metrics& metrics_;
  ServedModel& model_;
  const bool admitted_;
  bool started_ = false;
};

// One answer on its way.
class Answering {
 public:
  Answering(Generation& generation, AnswerFormat& format, ResponseWriter& writer, Metrics& metrics)
      : generation_(generation), format_(format), writer_(writer), metrics_(metrics) {}

  asio::awaitable<void> run(ServedModels& models) {
    const std::shared_ptr<ServedModel> model = models.find(generation_.model);
    if (model == nullptr) {
      const ApiError error = no_such_model(generation_.model);
      co_await refuse(error);
      co_return;
    }
    format_.answered_by(model->name());
    Counted counted(metrics_, *model);
    if (!counted.admitted()) {
      ApiError error{.status = 429,
                     .code = "queue_full",
                     .message = fmt::format("{} answers are being made or wait: try again later",
                                            model->room)};
      co_await refuse(std::move(error));
      co_return;
    }
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const auto signal = std::make_shared<Signal>(executor);
    generation_.options.progress = [signal](const StageProgress& p) { signal->tell(p); };
    auto stream = model->model.ask(std::move(generation_.messages), generation_.options);
    if (!stream) {
      co_await refuse(api_error(stream.error()));
      co_return;
    }
    stream->on_change([signal] { signal->set(); });
    if (generation_.stream) {
      co_await send_stream(*stream, *signal, counted, *model);
    } else {
      co_await send_whole(*stream, *signal, counted, *model);
    }
  }

 private:
  Headers headers() const {
    Headers all;
    if (!generation_.ignored.empty())
      all.emplace_back("x-ocellus-ignored",
                       fmt::format("{}", fmt::join(generation_.ignored, ", ")));
    return all;
  }

  asio::awaitable<void> refuse(ApiError error) {
    metrics_.refused(error.code);
    Response response = format_.refusal(error);
    if (error.status == 429) response.headers.emplace_back("Retry-After", "1");
    co_await writer_.send(std::move(response));
  }

  asio::awaitable<void> send_whole(AnswerStream& stream, Signal& signal, Counted& counted,
                                   ServedModel& model) {
    Answer all;
    while (true) {
      auto found = stream.try_next();
      if (!found) {
        co_await refuse(api_error(found.error()));
        co_return;
      }
      if (signal.take_progress()) start(counted, model);
      if (found->state == StreamPoll::State::kPiece) {
        all.text += found->piece.text;
        all.thoughts += found->piece.thoughts;
        all.ids.insert(all.ids.end(), found->piece.ids.begin(), found->piece.ids.end());
        all.tokens.insert(all.tokens.end(), found->piece.tokens.begin(), found->piece.tokens.end());
      } else if (found->state == StreamPoll::State::kEnd) {
        break;
      } else {
        if (writer_.client_gone()) co_return;  // dropping the stream ends the work
        co_await signal.wait(kLook);
      }
    }
    all.stats = stream.stats();
    note(model, all.stats);
    Response response = format_.whole(all);
    for (auto& header : headers()) response.headers.push_back(std::move(header));
    co_await writer_.send(std::move(response));
  }

  void note(ServedModel& model, const AnswerStats& stats) {
    metrics_.answered(model.name(), stats);
    model.rest(generation_.keep);
    writer_.facts = {.model = model.name(), .stats = stats};
  }

  asio::awaitable<bool> begin() {
    if (writer_.status() != 0) co_return true;
    const bool there = co_await writer_.begin(200, format_.stream_type(), headers());
    if (!there) co_return false;
    const bool begun = co_await put(format_.begin());
    co_return begun;
  }

  asio::awaitable<bool> put(std::string event) {
    if (event.empty()) co_return true;
    last_ = Clock::now();
    const bool there = co_await writer_.write(std::move(event));
    co_return there;
  }

  // The worker has taken the question: the model is there.
  static void start(Counted& counted, ServedModel& model) {
    counted.start();
    model.loaded = true;
  }

  // What is due while nothing comes from the model.
  asio::awaitable<bool> pass_time(Signal& signal, Counted& counted, ServedModel& model) {
    // Each wait is a statement of its own: GCC 12 makes wrong code of conditions that wait.
    const auto progress = signal.take_progress();
    if (progress) start(counted, model);
    const bool tells = progress && generation_.progress;
    const auto now = Clock::now();
    if (tells || (writer_.status() == 0 && now - begun_ >= kOpenStatus)) {
      const bool there = co_await begin();
      if (!there) co_return false;
    }
    std::string event;
    if (tells) {
      event = format_.progress(*progress);
    } else if (writer_.status() != 0 && now - last_ >= kSilence) {
      event = format_.ping();
    }
    const bool there = co_await put(std::move(event));
    if (!there) co_return false;
    co_await signal.wait(kLook);
    co_return !writer_.client_gone();
  }

  asio::awaitable<void> send_stream(AnswerStream& stream, Signal& signal, Counted& counted,
                                    ServedModel& model) {
    while (true) {
      auto found = stream.try_next();
      if (!found) {
        const ApiError error = api_error(found.error());
        if (writer_.status() == 0) {
          co_await refuse(error);
          co_return;
        }
        metrics_.refused(error.code);
        const bool there = co_await put(format_.error(error));
        if (there) co_await writer_.end();
        co_return;
      }
      if (found->state == StreamPoll::State::kPending) {
        const bool there = co_await pass_time(signal, counted, model);
        if (!there) co_return;
        continue;
      }
      start(counted, model);
      bool there = co_await begin();
      if (!there) co_return;
      if (found->state == StreamPoll::State::kEnd) break;
      there = co_await put(format_.piece(found->piece));
      if (!there) co_return;
    }
    note(model, stream.stats());
    const bool there = co_await put(format_.end(stream.stats()));
    if (there) co_await writer_.end();
  }

  Generation& generation_;
  AnswerFormat& format_;
  ResponseWriter& writer_;
  Metrics& metrics_;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point last_ = Clock::now();
};

}  // namespace

asio::awaitable<void> answer(ServedModels& models, Metrics& metrics, Generation generation,
                             AnswerFormat& format, ResponseWriter& writer) {
  Answering answering(generation, format, writer, metrics);
  co_await answering.run(models);
}

}  // namespace ocellus::server
