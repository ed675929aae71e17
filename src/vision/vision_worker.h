// The vision worker: one thread that owns one model and answers questions about pictures. The heart
// of Ocellus.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "engine/sliced_encoder.h"
#include "fetch/source.h"
#include "runtime/worker.h"
#include "text/detokenizer.h"
#include "text/thought_splitter.h"
#include "vision/image_load.h"
#include "vision/loaded_model.h"
#include "vision/requests.h"

namespace ocellus::vision {

// The worker's state (runtime/worker.h). Made, used and destroyed by the worker's thread. It serves
// several requests at a time: images are read and downloaded by the runtime and decoded by jobs,
// while the engine gives a token to every answer, and a slice of time to prompts and images, in
// turn.
class VisionState {
 public:
  VisionState(fetch::Fetcher fetcher, std::unique_ptr<LoadedModel> model,
              std::shared_ptr<compute::Jobs> jobs, const ModelOptions& options);

  // The loop: until the worker is told to stop, or has done what was asked before a Shutdown.
  void run(runtime::Inbox<Request>& inbox);

 private:
  using Clock = std::chrono::steady_clock;

  // A request whose images are on their way.
  struct Loading {
    std::variant<Question, CountTokens, EmbedImage> request;
    std::vector<ImageLoad> images;
    std::optional<Prompt> prompt;  // once all images are planned
    AnswerStats stats;
    Clock::time_point taken_at;
    std::size_t fetched = 0, decoded = 0;  // images told of

    Question* question() { return std::get_if<Question>(&request); }
    const std::vector<Message>* messages() const;
    void fail(Error error) noexcept;
    std::optional<Error> stop_reason() const;
  };
  using LoadingList = std::list<Loading>;
  // A question that is being answered.
  struct Active {
    Question question;
    AnswerStats stats;
    text::Detokenizer detokenizer;
    text::StopMatcher stops;
    text::ThoughtSplitter thoughts;
  };
  using ActiveMap = std::map<std::int64_t, Active>;  // by the engine's sequence
  // The image in the tower.
  struct Encoding {
    LoadingList::iterator loading;
    std::size_t image;
    Clock::time_point began;
  };

  static double seconds_since(Clock::time_point then) {
    return std::chrono::duration<double>(Clock::now() - then).count();
  }
  std::size_t busy() const { return loading_.size() + active_.size(); }
  void turn(runtime::Inbox<Request>& inbox);
  void wait_for_work(runtime::Inbox<Request>& inbox);
  void admit(runtime::Inbox<Request>& inbox);
  void take(Request& request, runtime::Inbox<Request>& inbox);
  ImageLoad start_image(const Picture& picture, ImageWish wish, const AnswerChannel* answer,
                        runtime::Inbox<Request>& inbox);

  void advance_loading();
  Status advance(Loading& loading);
  Result<bool> complete(Loading& loading);
  Status start_sequence(Loading& loading);
  void remove(LoadingList::iterator loading);

  bool find_encoding();
  void encode_slice();
  void finish_encoding();
  void work_slice();

  void handle(engine::Engine::Events events);
  void handle(engine::SequenceEvent& event);
  AnswerPiece piece_of(Active& active, const engine::SequenceEvent& event);
  void add_score(ActiveMap::iterator active, const engine::SequenceEvent& event);
  void end(ActiveMap::iterator active);
  void drop_stopped();
  void fail_all(ErrorCode code, std::string_view message) noexcept;

  std::unique_ptr<LoadedModel> model_;
  fetch::Fetcher fetcher_;
  std::size_t max_sequences_;
  ImageTools tools_;
  engine::SlicedEncoder encoder_;
  runtime::CancelToken stop_;
  LoadingList loading_;
  ActiveMap active_;
  std::optional<Encoding> encoding_;
  bool encoder_is_next_ = true;  // of prompts and images that both want a slice
};

using VisionWorker = runtime::Worker<VisionState, Request>;

}  // namespace ocellus::vision
