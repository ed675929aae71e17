// The vision worker: one thread that owns one model and answers questions about pictures. The heart
// of Ocellus.
#pragma once

#include <list>
#include <map>
#include <memory>

#include "fetch/source.h"
#include "runtime/spawn.h"
#include "runtime/worker.h"
#include "text/detokenizer.h"
#include "vision/loaded_model.h"
#include "vision/picture_cache.h"
#include "vision/requests.h"

namespace ocellus::vision {

// The worker's state (runtime/worker.h). Made, used and destroyed by the worker's thread. It serves
// several questions at a time: pictures are read and downloaded by the runtime while the engine
// takes one step after the other for those that are being answered.
class VisionState {
 public:
  VisionState(runtime::Runtime& runtime, fetch::Fetcher fetcher, std::unique_ptr<LoadedModel> model,
              const ModelOptions& options);

  // The loop: until the worker is told to stop, or a Shutdown request comes.
  void run(runtime::Inbox<Request>& inbox);

 private:
  using Clock = std::chrono::steady_clock;
  using PictureTask = runtime::Task<std::vector<std::byte>>;

  // A question whose picture is on its way.
  struct Waiting {
    Question question;
    PictureTask picture;
    Clock::time_point taken_at;
  };
  // A question that is being answered.
  struct Answering {
    Question question;
    AnswerStats stats;
    text::Detokenizer detokenizer;
    text::StopMatcher stops;
  };

  std::size_t busy() const { return waiting_.size() + answering_.size(); }
  void rest(runtime::Inbox<Request>& inbox);
  void admit(runtime::Inbox<Request>& inbox);
  bool take(Request& request, runtime::Inbox<Request>& inbox);
  void begin_waiting();
  void begin(Waiting& waiting, std::vector<std::byte> picture);
  Result<std::shared_ptr<const engine::ImageEmbeddings>> look_at(std::span<const std::byte> picture,
                                                                 const models::StopCheck& stop,
                                                                 AnswerStats& stats);
  void step();
  void handle(engine::SessionEvent& event);
  void end(std::map<std::int64_t, Answering>::iterator answering);
  void drop_stopped();
  void fail_all(const Error& error);

  runtime::Runtime& runtime_;
  std::unique_ptr<LoadedModel> model_;
  fetch::Fetcher fetcher_;
  std::size_t max_sessions_;
  PictureCache cache_;
  runtime::CancelToken stop_;
  std::list<Waiting> waiting_;
  std::map<std::int64_t, Answering> answering_;  // by engine session
};

using VisionWorker = runtime::Worker<VisionState, Request>;

}  // namespace ocellus::vision
