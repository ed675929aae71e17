#include "vision/vision_worker.h"

#include <algorithm>

#include "base/result.h"
#include "base/sha256.h"
#include "runtime/block_on.h"

namespace ocellus::vision {
namespace {

double seconds_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

fetch::ImageSource source_of(Request& request) {
  if (auto* ask = std::get_if<Ask>(&request.body)) return std::move(ask->path);
  if (auto* ask = std::get_if<AskUrl>(&request.body)) return fetch::UrlSource{std::move(ask->url)};
  return std::move(std::get<AskBytes>(request.body).bytes);
}

}  // namespace

VisionState::VisionState(runtime::Runtime& runtime, fetch::Fetcher fetcher,
                         std::unique_ptr<LoadedModel> model, const ModelOptions& options)
    : runtime_(runtime),
      model_(std::move(model)),
      fetcher_(std::move(fetcher)),
      max_sessions_(std::max<std::size_t>(1, options.max_sessions)) {}

void VisionState::run(runtime::Inbox<Request>& inbox) {
  stop_ = inbox.stop_token();
  while (!inbox.stopping()) {
    admit(inbox);
    begin_waiting();
    drop_stopped();
    if (!answering_.empty()) {
      step();
    } else {
      rest(inbox);
    }
  }
  fail_all({ErrorCode::kUnavailable, "the model is being unloaded"});
}

// Nothing to compute. Pictures that are on their way wake the worker when they are there,
// cancelled, or late.
void VisionState::rest(runtime::Inbox<Request>& inbox) {
  if (std::ranges::any_of(waiting_, [](const Waiting& w) { return w.picture.ready(); })) return;
  if (busy() < max_sessions_) {
    if (inbox.waiting() == 0) inbox.wait();
    return;
  }
  // Every place is taken by a picture on its way. A request in the mailbox cannot be taken and must
  // not wake anybody.
  constexpr auto kGlance = std::chrono::milliseconds(20);
  waiting_.front().picture.wait(runtime::Deadline::after(kGlance));
}

void VisionState::admit(runtime::Inbox<Request>& inbox) {
  while (busy() < max_sessions_) {
    std::optional<Request> request = inbox.try_pop();
    if (!request) return;
    inbox.protect(*request, [&] { take(*request, inbox); });
  }
}

// Reading the picture is the runtime's work. With nothing else to do the worker waits for a file
// right here; a download, or a file while others are being answered, comes in the background.
bool VisionState::take(Request& request, runtime::Inbox<Request>& inbox) {
  if (std::holds_alternative<Shutdown>(request.body)) {
    inbox.close();
    return false;
  }
  Question question = *request.question();
  if (const auto reason = question.channel->stop_reason()) {
    question.channel->fail(*reason);
    return false;
  }
  const bool remote = std::holds_alternative<AskUrl>(request.body);
  const runtime::CancelToken cancel = question.channel->cancel_token();
  const runtime::Deadline deadline = question.channel->deadline();
  auto load = fetcher_.async_load(source_of(request));
  Waiting waiting{std::move(question), {}, Clock::now()};
  if (remote || busy() > 0 || inbox.waiting() > 0) {
    waiting.picture = inbox.spawn(std::move(load), {.cancel = cancel, .deadline = deadline});
    waiting_.push_back(std::move(waiting));
    return true;
  }
  auto picture = inbox.block_on(std::move(load), {.cancel = cancel, .deadline = deadline});
  if (picture) {
    begin(waiting, *std::move(picture));
  } else {
    waiting.question.channel->fail(std::move(picture).error());
  }
  return true;
}

void VisionState::begin_waiting() {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!it->picture.ready()) {
      ++it;
      continue;
    }
    Waiting waiting = std::move(*it);
    it = waiting_.erase(it);
    auto picture = waiting.picture.take();
    if (!picture) {
      waiting.question.channel->fail(std::move(picture).error());
      continue;
    }
    try {
      begin(waiting, *std::move(picture));
    } catch (...) {
      waiting.question.channel->fail(
          runtime::error_from_exception(std::current_exception(), "the request failed"));
    }
  }
}

// From the bytes of a picture to a session of the engine.
void VisionState::begin(Waiting& waiting, std::vector<std::byte> picture) {
  const std::shared_ptr<AnswerChannel> channel = waiting.question.channel;
  AnswerStats stats;
  stats.queue_seconds =
      std::chrono::duration<double>(waiting.taken_at - waiting.question.asked_at).count();
  stats.image_seconds = seconds_since(waiting.taken_at);
  const models::StopCheck stop = [channel, this] {
    return stop_.cancelled() || channel->stop_reason().has_value();
  };
  const auto fail = [&](Error error) {
    // What stopped the work is a better reason than that it was stopped.
    channel->fail(channel->stop_reason().value_or(std::move(error)));
  };
  auto embeddings = look_at(picture, stop, stats);
  if (!embeddings) return fail(std::move(embeddings).error());
  stats.image_tokens = (*embeddings)->rows;
  auto request =
      model_->session(waiting.question.text, waiting.question.options, *std::move(embeddings));
  if (!request) return fail(std::move(request).error());
  stats.prompt_tokens = static_cast<std::int64_t>(request->ids.size());
  request->stop = stop;
  auto session = model_->engine().add(*std::move(request));
  if (!session) return fail(std::move(session).error());
  std::vector<std::string> stops = waiting.question.options.stop;
  answering_.emplace(*session, Answering{std::move(waiting.question), stats,
                                         text::Detokenizer(model_->tokenizer()),
                                         text::StopMatcher(std::move(stops))});
}

Result<std::shared_ptr<const engine::ImageEmbeddings>> VisionState::look_at(
    std::span<const std::byte> picture, const models::StopCheck& stop, AnswerStats& stats) {
  const base::Sha256 digest = base::sha256(picture);
  if (auto known = cache_.find(digest)) return known;
  const auto decode_begins = Clock::now();
  OCELLUS_ASSIGN_OR_RETURN(const models::PreparedImage prepared, model_->prepare(picture));
  stats.image_seconds += seconds_since(decode_begins);
  const auto tower_begins = Clock::now();
  OCELLUS_ASSIGN_OR_RETURN(EncodedPicture encoded, model_->encode(prepared, stop, false));
  stats.tower_seconds = seconds_since(tower_begins);
  cache_.insert(digest, encoded.embeddings);
  return std::move(encoded.embeddings);
}

void VisionState::step() {
  for (engine::SessionEvent& event : model_->engine().step()) handle(event);
}

void VisionState::handle(engine::SessionEvent& event) {
  const auto found = answering_.find(event.session);
  if (found == answering_.end()) return;
  Answering& answering = found->second;
  AnswerChannel& channel = *answering.question.channel;
  if (event.error) {
    channel.fail(channel.stop_reason().value_or(*event.error));
    answering_.erase(found);
    return;
  }
  answering.stats.drafted_tokens += event.drafted;
  answering.stats.accepted_tokens += event.ahead ? 1 : 0;
  const bool end_token = event.end == engine::SessionEnd::kEndToken;
  if (event.token && !end_token) {
    if (answering.stats.generated_tokens++ == 0)
      answering.stats.first_token_seconds = seconds_since(answering.question.asked_at);
    if (!channel.push(answering.stops.push(answering.detokenizer.push(*event.token)))) {
      model_->engine().cancel(event.session);
      channel.fail({ErrorCode::kCancelled, "the answer was not read"});
      answering_.erase(found);
      return;
    }
  }
  if (answering.stops.stopped()) {
    model_->engine().cancel(event.session);
    end(found);
  } else if (event.end) {
    answering.stats.finish = end_token ? FinishReason::kStop : FinishReason::kLength;
    end(found);
  }
}

// The last pieces, the numbers, and the end of the stream.
void VisionState::end(std::map<std::int64_t, Answering>::iterator answering) {
  Answering& a = answering->second;
  a.question.channel->push(a.stops.push(a.detokenizer.finish()));
  a.question.channel->push(a.stops.finish());
  if (a.stats.generated_tokens == 0)
    a.stats.first_token_seconds = seconds_since(a.question.asked_at);
  a.stats.total_seconds = seconds_since(a.question.asked_at);
  a.question.channel->finish(a.stats);
  answering_.erase(answering);
}

// Those whose reader has gone or whose time is up: their memory is free before the next step.
void VisionState::drop_stopped() {
  std::erase_if(answering_, [&](auto& entry) {
    const auto reason = entry.second.question.channel->stop_reason();
    if (!reason) return false;
    model_->engine().cancel(entry.first);
    entry.second.question.channel->fail(*reason);
    return true;
  });
}

void VisionState::fail_all(const Error& error) {
  for (Waiting& waiting : waiting_) waiting.question.channel->fail(error);
  for (auto& [session, answering] : answering_) {
    model_->engine().cancel(session);
    answering.question.channel->fail(error);
  }
  waiting_.clear();
  answering_.clear();
}

}  // namespace ocellus::vision
