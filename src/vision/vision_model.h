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
  // The present worker, started if there is none or the last one failed or was shut down.
  Result<std::shared_ptr<Running>> running();
  Result<std::shared_ptr<Running>> start();

  const ModelOptions options_;
  const std::shared_ptr<const compute::Backend> backend_;
  mutable std::mutex mutex_;
  std::shared_ptr<Running> running_;
  int starts_ = 0;
};

}  // namespace ocellus::vision
