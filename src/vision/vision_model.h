// A model as its users hold it: not loaded yet, loading, or served by a worker.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "compute/backend.h"
#include "compute/pool.h"
#include "ocellus/model.h"
#include "vision/vision_worker.h"

namespace ocellus::vision {

// Any thread. Destroying the last reference stops and joins the worker.
class VisionModel {
 public:
  VisionModel(ModelOptions options, std::shared_ptr<const compute::Backend> backend,
              std::shared_ptr<compute::Jobs> jobs);

  Status load();
  Result<AnswerStream> ask(std::vector<Message> messages, AskOptions options);
  Result<std::int64_t> count_tokens(std::vector<Message> messages);
  Result<ImageEmbedding> embed_image(Picture picture);
  Result<ModelInfo> info();
  void shutdown();
  Status drain();

  // Another one who wants to hear of loading, from now on. Empty: nobody.
  void tell(LoadProgress progress);

  // Test seam: how often a worker was started.
  int starts() const;

 private:
  struct Running {
    std::unique_ptr<VisionWorker> worker;
    std::shared_ptr<ModelInfo> info;  // written by the worker before it reports ready
  };
  // What one call uses of the present worker. It owns nothing: only shutdown() and the destructor
  // wait for a worker's end.
  struct Client {
    runtime::WorkerClient<Request> worker;
    std::shared_ptr<const ModelInfo> info;
  };
  // All who want to hear of loading.
  struct Listeners {
    std::mutex mutex;
    std::vector<LoadProgress> all;
    void tell(double fraction, const char* stage);
  };
  // Starts a worker if there is none or the last one has ended. A new one loads its model only when
  // the last one's is gone.
  Result<Client> client();
  Result<Running> start();

  ModelOptions options_;  // their progress tells the listeners
  const std::shared_ptr<Listeners> listeners_ = std::make_shared<Listeners>();
  const std::shared_ptr<const compute::Backend> backend_;
  const std::shared_ptr<compute::Jobs> jobs_;
  mutable std::mutex mutex_;
  Running running_;
  std::vector<Running> draining_;  // they finish what they were asked, and take nothing more
  std::shared_ptr<const runtime::WorkerEnd> last_end_;
  int starts_ = 0;
};

}  // namespace ocellus::vision
