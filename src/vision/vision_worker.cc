#include "vision/vision_worker.h"

#include <algorithm>

#include "base/log.h"
#include "base/result.h"

namespace ocellus::vision {
namespace {

// How often a worker looks around that waits for something nobody tells it of.
constexpr auto kPollInterval = std::chrono::milliseconds(20);

}  // namespace

VisionState::VisionState(fetch::Fetcher fetcher, std::unique_ptr<LoadedModel> model,
                         std::shared_ptr<compute::Jobs> jobs, const ModelOptions& options)
    : model_(std::move(model)),
      fetcher_(std::move(fetcher)),
      max_sequences_(std::max<std::size_t>(1, options.max_sequences)),
      tools_{.model = model_->model(), .jobs = std::move(jobs), .wake = {}},
      encoder_(*model_->model(), options.slice) {}

void VisionState::run(runtime::Inbox<Request>& inbox) {
  stop_ = inbox.stop_token();
  tools_.wake = inbox.waker();
  while (!stop_.cancelled() && !(inbox.stopping() && busy() == 0)) {
    try {
      turn(inbox);
    } catch (...) {
      // Nobody knows how far it got: the running requests end, the worker does not.
      const Error error =
          runtime::error_from_exception(std::current_exception(), "the request failed");
      base::log(base::LogLevel::kError, error.message);
      fail_all(error.code, error.message);
    }
    // The worker ends: the next request loads the file as it is then, so the mailbox closes before
    // anyone hears of it.
    if (const Status intact = model_->intact(); !intact) {
      inbox.close();
      return fail_all(intact.error().code, intact.error().message);
    }
  }
  fail_all(ErrorCode::kUnavailable, "the model is being unloaded");
}

void VisionState::turn(runtime::Inbox<Request>& inbox) {
  admit(inbox);
  advance_loading();
  drop_stopped();
  engine::Engine& engine = model_->engine();
  if (engine.decoding()) handle(engine.decode());
  if (!model_->intact()) return;
  if (find_encoding() || engine.prefilling()) {
    work_slice();
  } else if (!engine.decoding()) {
    wait_for_work(inbox);
  }
}

// Nothing to compute. Images that are on their way wake the worker when they are there.
void VisionState::wait_for_work(runtime::Inbox<Request>& inbox) {
  const bool poll = std::ranges::any_of(loading_, [](const Loading& loading) {
    return std::ranges::any_of(loading.images, [](const ImageLoad& i) { return i.wants_job(); });
  });
  const runtime::Deadline until =
      poll || inbox.stopping() ? runtime::Deadline::after(kPollInterval) : runtime::Deadline();
  if (busy() < max_sequences_ && !inbox.stopping()) {
    if (inbox.waiting() == 0) inbox.wait(until);
  } else {
    inbox.wait_for_wake(until);
  }
}

// Those whose reader has gone or whose time is up: their memory is free before the next step.
void VisionState::drop_stopped() {
  std::erase_if(active_, [&](auto& entry) {
    const auto reason = entry.second.question.answer->stop_reason();
    if (!reason) return false;
    model_->engine().cancel(entry.first);
    entry.second.question.answer->fail(*reason);
    return true;
  });
  for (auto it = loading_.begin(); it != loading_.end();) {
    const auto loading = it++;
    if (const auto reason = loading->stop_reason()) {
      loading->fail(*reason);
      remove(loading);
    }
  }
}

// Images and prompts take turns where both want a slice.
void VisionState::work_slice() {
  const bool prefill = model_->engine().prefilling();
  if (encoding_ && (encoder_is_next_ || !prefill)) {
    encode_slice();
  } else if (prefill) {
    handle(model_->engine().prefill());
  }
  encoder_is_next_ = !encoder_is_next_;
}

bool VisionState::find_encoding() {
  if (encoding_) return true;
  for (auto loading = loading_.begin(); loading != loading_.end(); ++loading) {
    for (std::size_t i = 0; i < loading->images.size(); ++i) {
      ImageLoad& image = loading->images[i];
      if (!image.wants_encoding() || !loading->prompt) continue;
      // Somebody else's, or the same picture twice.
      if (const EncodedImage* known = tools_.cache.find(image.digest())) {
        image.encoded_as(*known);
        tools_.wake();  // it may be complete: no waiting before that is seen
        continue;
      }
      if (const Status begun = encoder_.begin(image.prepared()); !begun) {
        loading->fail(begun.error());
        remove(loading);
        return false;
      }
      encoding_ = {loading, i, Clock::now()};
      return true;
    }
  }
  return false;
}

void VisionState::encode_slice() {
  const auto done = encoder_.run();
  if (!done) {
    const auto loading = encoding_->loading;
    loading->fail(done.error());
    remove(loading);
  } else if (*done && model_->intact()) {
    finish_encoding();
  }
}

void VisionState::finish_encoding() {
  Loading& loading = *encoding_->loading;
  ImageLoad& image = loading.images[encoding_->image];
  EncodedImage encoded{image.plan(),
                       std::make_shared<const models::ImageEmbeddings>(encoder_.take())};
  // The plan alone, without the pixels that it came with.
  encoded.plan = std::make_shared<const models::ImagePlan>(*encoded.plan);
  tools_.cache.insert(image.digest(), encoded);
  image.encoded_as(std::move(encoded));
  loading.stats.tower_seconds += seconds_since(encoding_->began);
  encoding_.reset();
  advance_loading();
}

void VisionState::fail_all(ErrorCode code, std::string_view message) noexcept {
  for (Loading& loading : loading_) loading.fail(runtime::make_error_nothrow(code, message));
  for (auto& [sequence, active] : active_)
    active.question.answer->fail(runtime::make_error_nothrow(code, message));
  model_->engine().clear();
  encoder_.drop();
  encoding_.reset();
  loading_.clear();
  active_.clear();
}

}  // namespace ocellus::vision
