// Everything that a vision worker owns of a model, and the way from a conversation to what the
// engine runs.
#pragma once

#include <memory>
#include <vector>

#include "base/mapped_file.h"
#include "compute/backend.h"
#include "engine/engine.h"
#include "models/family.h"
#include "ocellus/message.h"
#include "ocellus/model.h"
#include "ocellus/options.h"
#include "text/constraint/vocabulary_bytes.h"
#include "text/prompt.h"
#include "text/tokenizer.h"
#include "vision/prompt_builder.h"

namespace ocellus::models {
class ModelDescription;
}

namespace ocellus::vision {

// One thread: the worker's. The backend is shared by all models.
class LoadedModel {
 public:
  using StopCheck = std::function<bool()>;

  // Reads tokenizer, template and weights. kBadModel, kModelNotFound, kUnsupported, kOutOfMemory,
  // kCancelled.
  static Result<std::unique_ptr<LoadedModel>> load(const ModelOptions& options,
                                                   std::shared_ptr<const compute::Backend> backend,
                                                   const StopCheck& stop);

  const ModelInfo& info() const { return info_; }
  // Shared with jobs that decode pictures; it keeps its backend alive.
  const std::shared_ptr<const models::Model>& model() const { return model_; }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  const PromptBuilder& prompts() const { return *prompts_; }
  engine::Engine& engine() { return *engine_; }

  // What the tokens are in bytes; made when it is first asked for.
  const std::shared_ptr<const text::VocabularyBytes>& vocabulary_bytes() {
    if (!vocabulary_bytes_) vocabulary_bytes_ = text::VocabularyBytes::make(*tokenizer_);
    return vocabulary_bytes_;
  }

  // kBadModel once weights that are mapped could not be read: nothing computed since can be used.
  Status intact() const;

  const std::vector<std::int32_t>& end_tokens() const { return end_tokens_; }

  // What the engine runs for a prompt whose images are attached: sampling and limits.
  // kInvalidArgument.
  Result<engine::SequenceRequest> request(Prompt prompt, const AskOptions& options) const;

 private:
  LoadedModel() = default;
  Status read_settings(const models::ModelDescription& description, const ModelOptions& options);
  void score(const std::string& text, engine::SequenceRequest& request) const;
  Status make_prompts(const models::ModelDescription& description, const ModelOptions& options);

  std::shared_ptr<const base::MappedFile> file_;  // of a packed model; else null
  std::shared_ptr<const models::Model> model_;
  std::unique_ptr<const text::Tokenizer> tokenizer_;
  std::shared_ptr<const text::VocabularyBytes> vocabulary_bytes_;
  std::unique_ptr<const text::PromptTemplate> template_;
  std::unique_ptr<const PromptBuilder> prompts_;
  std::unique_ptr<engine::Engine> engine_;
  engine::SamplingOptions sampling_;  // defaults of this model
  bool samples_ = false;              // its files say do_sample
  std::int64_t max_new_tokens_ = 512;
  std::vector<std::int32_t> end_tokens_;
  ModelInfo info_;
};

}  // namespace ocellus::vision
