// From a request in the mailbox to a sequence of the engine.
#include <algorithm>

#include "base/log.h"
#include "base/result.h"
#include "vision/fetching.h"
#include "vision/vision_worker.h"

namespace ocellus::vision {
namespace {

void tell(const Question* question, Stage stage, std::size_t done, std::size_t total) {
  if (question == nullptr || !question->options.progress || total == 0) return;
  question->options.progress(
      {stage, static_cast<std::int64_t>(done), static_cast<std::int64_t>(total)});
}

// A grammar and a text that is scored begin with the first token, which leaves no room for
// thoughts.
bool begins_at_once(const Question& question) {
  return question.grammar != nullptr || question.options.score.has_value();
}

std::optional<bool> thinking_of(const Question* question) {
  if (question == nullptr) return std::nullopt;
  return begins_at_once(*question) ? false : question->options.thinking;
}

}  // namespace

const std::vector<Message>* VisionState::Loading::messages() const {
  if (const auto* question = std::get_if<Question>(&request)) return &question->messages;
  if (const auto* count = std::get_if<CountTokens>(&request)) return &count->messages;
  return nullptr;
}

void VisionState::Loading::fail(Error error) noexcept {
  std::visit(
      [&](auto& kind) {
        if constexpr (requires { kind.answer; }) {
          kind.answer->fail(std::move(error));
        } else {
          kind.result->fail(std::move(error));
        }
      },
      request);
}

std::optional<Error> VisionState::Loading::stop_reason() const {
  const auto* question = std::get_if<Question>(&request);
  return question == nullptr ? std::nullopt : question->answer->stop_reason();
}

void VisionState::admit(runtime::Inbox<Request>& inbox) {
  while (busy() < max_sequences_) {
    std::optional<Request> request = inbox.try_pop();
    if (!request) return;
    inbox.protect(*request, [&] { take(*request, inbox); });
  }
}

// Reading an image is the runtime's work.
ImageLoad VisionState::start_image(const Picture& picture, ImageWish wish,
                                   const AnswerChannel* answer, runtime::Inbox<Request>& inbox) {
  if (const auto* bytes = std::get_if<Picture::Bytes>(&picture.source()))
    return {wish, bytes->bytes};
  runtime::SpawnOptions options;
  if (answer != nullptr) {
    options.cancel = answer->cancel_token();
    options.deadline = answer->deadline();
  }
  return {wish, inbox.spawn(fetcher_.async_load(source_of(picture)), std::move(options))};
}

void VisionState::take(Request& request, runtime::Inbox<Request>& inbox) {
  if (std::holds_alternative<Shutdown>(request.body)) return inbox.close();
  Loading loading{
      .request = CountTokens{}, .images = {}, .prompt = {}, .stats = {}, .taken_at = Clock::now()};
  std::vector<const Picture*> pictures;
  ImageWish wish;
  const AnswerChannel* answer = nullptr;
  if (Question* question = request.question()) {
    if (const auto reason = question->answer->stop_reason()) {
      return question->answer->fail(*reason);
    }
    loading.stats.queue_seconds = seconds_since(question->asked_at);
    loading.request = std::move(*question);
    answer = &*loading.question()->answer;
    tell(loading.question(), Stage::kQueue, 1, 1);
  } else if (auto* count = std::get_if<CountTokens>(&request.body)) {
    loading.request = std::move(*count);
    wish.goal = ImageGoal::kPlan;
  } else {
    loading.request = std::move(std::get<EmbedImage>(request.body));
    pictures = {&std::get<EmbedImage>(loading.request).picture};
  }
  if (const std::vector<Message>* messages = loading.messages()) pictures = images_of(*messages);
  wish.use = model_->model()->image_use(pictures.size());
  try {
    for (const Picture* picture : pictures)
      loading.images.push_back(start_image(*picture, wish, answer, inbox));
    loading_.push_back(std::move(loading));
  } catch (...) {
    loading.fail(runtime::error_from_exception(std::current_exception(), "the request failed"));
    throw;
  }
}

void VisionState::remove(LoadingList::iterator loading) {
  if (encoding_ && encoding_->loading == loading) {
    encoder_.drop();
    encoding_.reset();
  }
  loading_.erase(loading);
}

void VisionState::advance_loading() {
  for (auto it = loading_.begin(); it != loading_.end();) {
    const auto loading = it++;
    bool over = false;
    try {
      Status status = advance(*loading);
      if (status) {
        auto completed = complete(*loading);
        over = completed.value_or(true);
        if (!completed) status = std::unexpected(std::move(completed).error());
      }
      if (!status) {
        // What stopped the work is a better reason than that it was stopped.
        loading->fail(loading->stop_reason().value_or(std::move(status).error()));
        over = true;
      }
    } catch (...) {
      const Error error =
          runtime::error_from_exception(std::current_exception(), "the request failed");
      base::log(base::LogLevel::kError, error.message);
      loading->fail(runtime::make_error_nothrow(error.code, error.message));
      over = true;
    }
    if (over) remove(loading);
  }
}

// Its images as far as they go by themselves; the prompt, once all their places are known.
Status VisionState::advance(Loading& loading) {
  std::size_t fetched = 0, decoded = 0;
  bool planned = true;
  for (ImageLoad& image : loading.images) {
    OCELLUS_RETURN_IF_ERROR(image.advance(tools_));
    fetched += image.fetched() || image.planned();
    decoded += loading.question() == nullptr ? image.planned() : image.decoded();
    planned = planned && image.planned();
  }
  const std::size_t total = loading.images.size();
  if (fetched > std::exchange(loading.fetched, fetched)) {
    tell(loading.question(), Stage::kFetch, fetched, total);
    if (fetched == total) loading.stats.fetch_seconds = seconds_since(loading.taken_at);
  }
  if (decoded > std::exchange(loading.decoded, decoded)) {
    tell(loading.question(), Stage::kDecode, decoded, total);
    if (decoded == total) loading.stats.image_seconds = seconds_since(loading.taken_at);
  }
  const std::vector<Message>* messages = loading.messages();
  if (!planned || loading.prompt) return {};
  if (messages == nullptr) {
    loading.prompt.emplace();
    return {};
  }
  std::vector<std::shared_ptr<const models::ImagePlan>> plans;
  for (const ImageLoad& image : loading.images) plans.push_back(image.plan());
  const Question* const question = loading.question();
  OCELLUS_ASSIGN_OR_RETURN(loading.prompt,
                           model_->prompts().build(*messages, plans, thinking_of(question)));
  const std::int64_t context = model_->info().context_tokens;
  if (question != nullptr && loading.prompt->tokens >= context) {
    // Told before the tower runs.
    return base::make_error(
        ErrorCode::kContextFull,
        "the prompt takes {} tokens ({} of them the images'), the context has {}",
        loading.prompt->tokens, loading.prompt->image_tokens, context);
  }
  return {};
}

// Whether the request is over, or has become a sequence.
Result<bool> VisionState::complete(Loading& loading) {
  if (!loading.prompt) return false;
  if (auto* count = std::get_if<CountTokens>(&loading.request)) {
    count->result->finish(loading.prompt->tokens);
    return true;
  }
  const auto encoded = std::ranges::count_if(loading.images, &ImageLoad::encoded);
  if (encoded < std::ssize(loading.images)) return false;
  if (auto* embed = std::get_if<EmbedImage>(&loading.request)) {
    const models::ImageEmbeddings& rows = *loading.images.front().embeddings();
    ImageEmbedding result{.rows = rows.rows, .cols = rows.cols, .data = rows.data, .mean = {}};
    std::vector<double> sums(static_cast<std::size_t>(rows.cols));
    for (std::size_t i = 0; i < rows.data.size(); ++i) sums[i % sums.size()] += rows.data[i];
    for (const double sum : sums)
      result.mean.push_back(static_cast<float>(sum / static_cast<double>(rows.rows)));
    embed->result->finish(std::move(result));
    return true;
  }
  OCELLUS_RETURN_IF_ERROR(start_sequence(loading));
  return true;
}

Status VisionState::start_sequence(Loading& loading) {
  Question& question = *loading.question();
  const std::size_t images = loading.images.size();
  tell(&question, Stage::kTower, images, images);
  for (std::size_t i = 0; i < images; ++i)
    loading.prompt->attach(static_cast<int>(i), loading.images[i].embeddings(),
                           loading.images[i].digest());
  loading.stats.prompt_tokens = loading.prompt->tokens;
  loading.stats.image_tokens = loading.prompt->image_tokens;
  loading.stats.unbounded_image_tokens = loading.prompt->unbounded_image_tokens;
  const text::Thoughts thoughts =
      begins_at_once(question) ? text::Thoughts::kNone : loading.prompt->thoughts;
  OCELLUS_ASSIGN_OR_RETURN(engine::SequenceRequest request,
                           model_->request(*std::move(loading.prompt), question.options));
  if (question.grammar) {
    request.constraint =
        std::make_shared<text::TokenConstraint>(question.grammar, model_->vocabulary_bytes());
  }
  request.stop = [channel = question.answer.channel(), stop = stop_] {
    return stop.cancelled() || channel->stop_reason().has_value();
  };
  // Everything that may fail comes before the sequence exists, so that it is never left without
  // owner.
  ActiveMap made;
  const auto entry = made.emplace(0, Active{{},
                                            loading.stats,
                                            text::Detokenizer(model_->tokenizer()),
                                            text::StopMatcher(question.options.stop),
                                            text::ThoughtSplitter(thoughts)})
                         .first;
  OCELLUS_ASSIGN_OR_RETURN(const std::int64_t sequence, model_->engine().add(std::move(request)));
  entry->second.question = std::move(question);
  auto node = made.extract(entry);
  node.key() = sequence;
  active_.insert(std::move(node));
  return {};
}

}  // namespace ocellus::vision
