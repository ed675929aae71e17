#include "vision/vision_model.h"

#include "base/result.h"

namespace ocellus::vision {
namespace {

constexpr auto kMaxDeadline = std::chrono::minutes(10);
constexpr std::size_t kMaxQuestionBytes = std::size_t{1} << 20;

Request make_request(Picture picture, Question question) {
  Picture::Source source = picture.source();
  if (auto* path = std::get_if<Picture::Path>(&source))
    return {Ask{std::move(path->path), std::move(question)}};
  if (auto* url = std::get_if<Picture::Url>(&source))
    return {AskUrl{std::move(url->url), std::move(question)}};
  return {AskBytes{std::move(std::get<Picture::Bytes>(source).bytes), std::move(question)}};
}

Result<fetch::Fetcher> make_fetcher(runtime::Runtime& runtime, const FetchPolicy& wanted) {
  OCELLUS_ASSIGN_OR_RETURN(auto policy, fetch::AddressPolicy::make(wanted.allow_hosts));
  return fetch::Fetcher::make(runtime,
                              {.allow_urls = wanted.allow_urls, .policy = std::move(policy)});
}

}  // namespace

Result<VisionModel::Running> VisionModel::start() {
  Running running;
  running.info = std::make_shared<ModelInfo>();
  auto worker = VisionWorker::start(
      {.name = "ocellus-model",
       .mailbox_capacity = std::max<std::size_t>(1, options_.mailbox_capacity),
       .after = last_end_},
      [options = options_, backend = backend_, info = running.info](
          runtime::Runtime& runtime,
          const runtime::CancelToken& stop) -> Result<std::unique_ptr<VisionState>> {
        OCELLUS_ASSIGN_OR_RETURN(auto fetcher, make_fetcher(runtime, options.fetch));
        OCELLUS_ASSIGN_OR_RETURN(
            auto model, LoadedModel::load(options, backend, [stop] { return stop.cancelled(); }));
        *info = model->info();
        return std::make_unique<VisionState>(runtime, std::move(fetcher), std::move(model),
                                             options);
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

Result<AnswerStream> VisionModel::ask(Picture picture, std::string question, AskOptions options) {
  if (question.empty() || question.size() > kMaxQuestionBytes) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "question: expected 1 to {} bytes, found {}", kMaxQuestionBytes,
                            question.size());
  }
  if (options.deadline && (options.deadline->count() <= 0 || *options.deadline > kMaxDeadline)) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "deadline: expected more than 0, at most 600 seconds, found {} ms",
                            options.deadline->count());
  }
  const runtime::Deadline deadline =
      options.deadline ? runtime::Deadline::after(*options.deadline) : runtime::Deadline();
  OCELLUS_ASSIGN_OR_RETURN(const Client now, client());
  auto channel = std::make_shared<AnswerChannel>(deadline);
  Question asked{std::move(question), std::move(options), channel,
                 std::chrono::steady_clock::now()};
  OCELLUS_RETURN_IF_ERROR(now.worker.submit(make_request(std::move(picture), std::move(asked))));
  return AnswerStream(std::move(channel));
}

void VisionModel::shutdown() {
  Running last;
  const std::lock_guard lock(mutex_);
  // Releases at once who waits for its start; it is joined after the lock is gone.
  last = std::exchange(running_, {});
  if (last.worker) last.worker->shutdown();
}

int VisionModel::starts() const {
  const std::lock_guard lock(mutex_);
  return starts_;
}

}  // namespace ocellus::vision
