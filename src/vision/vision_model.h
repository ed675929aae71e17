// A model as its users hold it: not loaded yet, loading, or served by a worker.
#pragma once

#include <memory>
#include <mutex>

#include "compute/backend.h"
#include "ocellus/model.h"
#include "vision/vision_worker.h"

namespace ocellus::vision {

// Any thread. Destroying the last reference stops and joins the worker.
class VisionModel {
 public:
  VisionModel(ModelOptions options, std::shared_ptr<const compute::Backend> backend)
      : options_(std::move(options)), backend_(std::move(backend)) {}

  Status load();
  Result<AnswerStream> ask(Picture picture, std::string question, AskOptions options);
  Result<ModelInfo> info();
  void shutdown();

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
  // Starts a worker if there is none or the last one has ended. A new one loads its model only when
  // the last one's is gone.
  Result<Client> client();
  Result<Running> start();

  const ModelOptions options_;
  const std::shared_ptr<const compute::Backend> backend_;
  mutable std::mutex mutex_;
  Running running_;
  std::shared_ptr<const runtime::WorkerEnd> last_end_;
  int starts_ = 0;
};

}  // namespace ocellus::vision
