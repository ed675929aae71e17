// Models, and the registry that holds what they share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ocellus/answer.h"
#include "ocellus/decision.h"
#include "ocellus/error.h"
#include "ocellus/export.h"
#include "ocellus/message.h"
#include "ocellus/options.h"
#include "ocellus/picture.h"

namespace ocellus {

namespace vision {
class RegistryState;
class VisionModel;
}  // namespace vision

// What a model is, once it is loaded.
struct ModelInfo {
  std::string architecture;       // "llava: clip 24x1024 + llama 32x4096"
  std::int64_t image_size = 0;    // pixels: the square that the tower takes
  std::int64_t image_tokens = 0;  // what one picture costs
  std::int64_t context_tokens = 0;
  std::int64_t vocabulary = 0;
  std::int64_t parameters = 0;
  std::int64_t weight_bytes = 0;
  float temperature = 0;
  std::int64_t max_new_tokens = 0;
  std::string device;  // "cpu: avx512, 2 threads"
};

// Rows of tower and projector for one picture, and their mean.
struct ImageEmbedding {
  std::int64_t rows = 0, cols = 0;  // cols: the language model's hidden size
  std::vector<float> data;          // [rows, cols]
  std::vector<float> mean;          // [cols]
};

// A model owned by one worker thread. Copies share it; the last one to go stops the worker. Any
// thread may call.
class OCELLUS_API Model {
 public:
  explicit Model(std::shared_ptr<vision::VisionModel> model);

  // Loads now, if nobody has yet, and waits. Without it the first ask() loads. Callers at the same
  // time share one load and its outcome; a failed load can be tried again. kBadModel,
  // kModelNotFound, kOutOfMemory, kUnavailable ("Runtime unavailable").
  Status load();

  // Queues a question about one picture and returns at once (the first time: as soon as the worker
  // has started to load). Never blocks on other people's questions: kUnavailable when the mailbox
  // is full. Everything else that goes wrong is told by the stream.
  Result<AnswerStream> ask(Picture picture, std::string question, AskOptions options = {});

  // The same for a whole conversation, which ends with a message of the user. kInvalidArgument for
  // one without messages, or that ends with another role.
  Result<AnswerStream> ask(std::vector<Message> messages, AskOptions options = {});

  // Decides each question about the input, a conversation that may be empty but for pictures and
  // text of the user: the prompts share the input, and each possible answer is scored. Waits its
  // turn; kUnavailable where the mailbox is full of others' questions. Of the options only the
  // deadline counts, for each score.
  Result<Decision> decide(const std::vector<Message>& input,
                          const std::vector<DecisionQuestion>& questions,
                          const AskOptions& options = {});

  // How many tokens the conversation takes as a prompt, its images included. Reads the images, but
  // runs neither tower nor language model. Waits its turn; kContextFull is not checked.
  Result<std::int64_t> count_tokens(std::vector<Message> messages);

  // What the model makes of a picture: the rows that stand for it in a prompt. Waits its turn.
  Result<ImageEmbedding> embed_image(Picture picture);

  // Loads, if needed.
  Result<ModelInfo> info();

  // Ends the worker: running answers get kUnavailable. A later load() or ask() starts a new one.
  void shutdown();
  // Ends the worker as soon as everything that was asked before is answered; returns at once.
  // kUnavailable when the mailbox is full: try again.
  Status drain();

 private:
  std::shared_ptr<vision::VisionModel> model_;
};

struct RegistryOptions {
  int threads = 0;  // compute threads that all models share; 0: as many as there are cores to use
};

// The models of a program and the compute pool that they share. Make one per process. Any thread
// may call.
class OCELLUS_API Registry {
 public:
  static Result<Registry> create(const RegistryOptions& options = {});

  // Checks that the path is there; the loading itself waits for load() or the first question.
  // Opening the same path with the same settings again gives the same model.
  Result<Model> open(const ModelOptions& options);
  Result<Model> open(const std::filesystem::path& path) { return open(ModelOptions{.path = path}); }

 private:
  explicit Registry(std::shared_ptr<vision::RegistryState> state);
  std::shared_ptr<vision::RegistryState> state_;
};

}  // namespace ocellus
