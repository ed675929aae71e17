// Everything that a vision worker owns of a model, and the steps from a picture and a question to
// what the engine runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compute/backend.h"
#include "engine/engine.h"
#include "formats/model_config.h"
#include "image/preprocess.h"
#include "models/llava/model.h"
#include "ocellus/model.h"
#include "ocellus/options.h"
#include "text/prompt.h"
#include "text/tokenizer.h"

namespace ocellus::vision {

// What the tower made of a picture.
struct EncodedPicture {
  std::vector<float> features;  // [image_tokens, feature_width]: kept for tracing only
  std::int64_t feature_width = 0;
  std::shared_ptr<const engine::ImageEmbeddings> embeddings;
};

// One thread: the worker's. The backend is shared by all models.
class LoadedModel {
 public:
  // Reads tokenizer, template and weights. kBadModel, kNotFound, kUnsupported, kOutOfMemory,
  // kCancelled.
  static Result<std::unique_ptr<LoadedModel>> load(const ModelOptions& options,
                                                   std::shared_ptr<const compute::Backend> backend,
                                                   const models::StopCheck& stop);

  const ModelInfo& info() const { return info_; }
  const models::Model& model() const { return *model_; }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  engine::Engine& engine() { return *engine_; }

  // An encoded picture to what the tower takes. kBadImage.
  Result<models::PreparedImage> prepare(std::span<const std::byte> encoded) const;
  Result<EncodedPicture> encode(const models::PreparedImage& prepared,
                                const models::StopCheck& stop, bool keep_features);
  // Prompt, sampling and limits; the picture's places expanded. kInvalidArgument, kContextFull
  // later from the engine.
  Result<engine::SessionRequest> session(
      const std::string& question, const AskOptions& options,
      std::shared_ptr<const engine::ImageEmbeddings> picture) const;

 private:
  LoadedModel() = default;
  Status read_settings(const models::Checkpoint& checkpoint, const ModelOptions& options);
  Result<std::vector<std::int32_t>> prompt_ids(const std::string& question,
                                               const AskOptions& options) const;

  std::shared_ptr<const compute::Backend> backend_;
  formats::ModelConfig config_;
  std::unique_ptr<const text::Tokenizer> tokenizer_;
  std::unique_ptr<const text::PromptTemplate> template_;
  text::SpecialTokens specials_;
  std::unique_ptr<models::Model> model_;
  std::unique_ptr<models::ImageEncoder> encoder_;
  std::unique_ptr<engine::Engine> engine_;
  engine::SamplingOptions sampling_;  // defaults of this model
  std::int64_t max_new_tokens_ = 512;
  std::vector<std::int32_t> end_tokens_;
  ModelInfo info_;
};

}  // namespace ocellus::vision
