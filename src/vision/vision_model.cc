#include "vision/vision_model.h"

#include "base/result.h"
#include "text/constraint/response_grammar.h"
#include "vision/fetching.h"

namespace ocellus::vision {
namespace {

constexpr auto kMaxDeadline = std::chrono::minutes(10);
// By what the slowest of its images costs.
Request make_request(Question question) {
  bool bytes = false, urls = false;
  for (const Picture* picture : images_of(question.messages)) {
    bytes |= std::holds_alternative<Picture::Bytes>(picture->source());
    urls |= std::holds_alternative<Picture::Url>(picture->source());
  }
  if (urls) return {AskUrl{std::move(question)}};
  if (bytes) return {AskBytes{std::move(question)}};
  return {Ask{std::move(question)}};
}

}  // namespace

VisionModel::VisionModel(ModelOptions options, std::shared_ptr<const compute::Backend> backend,
                         std::shared_ptr<compute::Jobs> jobs)
    : options_(std::move(options)), backend_(std::move(backend)), jobs_(std::move(jobs)) {
  tell(std::exchange(options_.progress,
                     [listeners = listeners_](double fraction, const char* stage) {
                       listeners->tell(fraction, stage);
                     }));
}

void VisionModel::tell(LoadProgress progress) {
  if (!progress) return;
  const std::lock_guard lock(listeners_->mutex);
  listeners_->all.push_back(std::move(progress));
}

void VisionModel::Listeners::tell(double fraction, const char* stage) {
  std::vector<LoadProgress> told;
  {
    const std::lock_guard lock(mutex);
    told = all;
  }
  for (const LoadProgress& progress : told) progress(fraction, stage);
}

Result<VisionModel::Running> VisionModel::start() {
  Running running;
  running.info = std::make_shared<ModelInfo>();
  auto worker = VisionWorker::start(
      {.name = "ocellus-model",
       .mailbox_capacity = std::max<std::size_t>(1, options_.mailbox_capacity),
       .after = last_end_},
      [options = options_, backend = backend_, jobs = jobs_, info = running.info](
          runtime::Runtime& runtime,
          const runtime::CancelToken& stop) mutable -> Result<std::unique_ptr<VisionState>> {
        // Whoever listened may be gone by then.
        options.progress = [stop, told = options.progress](double fraction, const char* stage) {
          if (!stop.cancelled()) told(fraction, stage);
        };
        OCELLUS_ASSIGN_OR_RETURN(auto fetcher, make_fetcher(runtime, options.fetch));
        OCELLUS_ASSIGN_OR_RETURN(
            auto model, LoadedModel::load(options, backend, [stop] { return stop.cancelled(); }));
        *info = model->info();
        return std::make_unique<VisionState>(std::move(fetcher), std::move(model), jobs, options);
      });
  if (!worker) return std::unexpected(std::move(worker).error());
  running.worker = *std::move(worker);
  last_end_ = running.worker->end();
  ++starts_;
  return running;
}

Result<VisionModel::Client> VisionModel::client() {
  Running dead;  // joined outside the lock
  const std::lock_guard lock(mutex_);
  if (running_.worker && !running_.worker->alive()) dead = std::exchange(running_, {});
  if (!running_.worker) {
    OCELLUS_ASSIGN_OR_RETURN(running_, start());
  }
  return Client{running_.worker->client(), running_.info};
}

Status VisionModel::load() {
  OCELLUS_ASSIGN_OR_RETURN(const Client now, client());
  return now.worker.wait_ready();
}

Result<ModelInfo> VisionModel::info() {
  OCELLUS_ASSIGN_OR_RETURN(const Client now, client());
  OCELLUS_RETURN_IF_ERROR(now.worker.wait_ready());
  return *now.info;
}

Result<AnswerStream> VisionModel::ask(std::vector<Message> messages, AskOptions options) {
  OCELLUS_RETURN_IF_ERROR(check_messages(messages));
  if (options.deadline && (options.deadline->count() <= 0 || *options.deadline > kMaxDeadline)) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "deadline: expected more than 0, at most 600 seconds, found {} ms",
                            options.deadline->count());
  }
  const runtime::Deadline deadline =
      options.deadline ? runtime::Deadline::after(*options.deadline) : runtime::Deadline();
  OCELLUS_ASSIGN_OR_RETURN(auto grammar, text::response_grammar(options.response_format));
  if (options.thinking.value_or(false) && (grammar != nullptr || options.score)) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "thinking: expected off, found on: an answer of a required form, or "
                            "one that is scored, begins with the first token");
  }
  OCELLUS_ASSIGN_OR_RETURN(const Client now, client());
  auto channel = std::make_shared<AnswerChannel>(deadline);
  Question question{std::move(messages), std::move(options), AnswerWriter(channel),
                    std::chrono::steady_clock::now(), std::move(grammar)};
  OCELLUS_RETURN_IF_ERROR(now.worker.submit(make_request(std::move(question))));
  return AnswerStream(std::move(channel));
}

Result<std::int64_t> VisionModel::count_tokens(std::vector<Message> messages) {
  OCELLUS_RETURN_IF_ERROR(check_messages(messages));
  OCELLUS_ASSIGN_OR_RETURN(const Client now, client());
  const auto channel = std::make_shared<ResultChannel<std::int64_t>>();
  OCELLUS_RETURN_IF_ERROR(now.worker.submit(
      {CountTokens{std::move(messages), runtime::Writer<ResultChannel<std::int64_t>>(channel)}}));
  return channel->wait();
}

Result<ImageEmbedding> VisionModel::embed_image(Picture picture) {
  OCELLUS_ASSIGN_OR_RETURN(const Client now, client());
  const auto channel = std::make_shared<ResultChannel<ImageEmbedding>>();
  OCELLUS_RETURN_IF_ERROR(now.worker.submit(
      {EmbedImage{std::move(picture), runtime::Writer<ResultChannel<ImageEmbedding>>(channel)}}));
  return channel->wait();
}

void VisionModel::shutdown() {
  std::vector<Running> last;
  const std::lock_guard lock(mutex_);
  // Releases at once who waits for its start; they are joined after the lock is gone.
  last = std::exchange(draining_, {});
  last.push_back(std::exchange(running_, {}));
  for (const Running& each : last)
    if (each.worker) each.worker->shutdown();
}

// Who asks from now on gets another worker: this one would turn them away.
Status VisionModel::drain() {
  std::vector<Running> ended;  // joined outside the lock
  const std::lock_guard lock(mutex_);
  if (!running_.worker || !running_.worker->alive()) return {};
  OCELLUS_RETURN_IF_ERROR(running_.worker->submit({Shutdown{}}));
  for (Running& each : draining_)
    if (!each.worker->alive()) ended.push_back(std::move(each));
  std::erase_if(draining_, [](const Running& each) { return each.worker == nullptr; });
  draining_.push_back(std::exchange(running_, {}));
  return {};
}

int VisionModel::starts() const {
  const std::lock_guard lock(mutex_);
  return starts_;
}

}  // namespace ocellus::vision
