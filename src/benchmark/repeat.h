// A second question about a picture that was asked about before.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/engine.h"
#include "engine/sliced_encoder.h"
#include "models/family.h"
#include "ocellus/error.h"

namespace ocellus::benchmark {

// One thread. The model must outlive it.
class RepeatedPicture {
 public:
  // kContextFull for a model whose context is too short for its picture.
  static Result<RepeatedPicture> create(const models::Model& model);

  // Tower, prompt and first token of a picture, followed by a question of `tokens` tokens.
  Status first(std::int64_t tokens);
  // The same picture, known by its content, with another question each time.
  Status again(std::int64_t tokens);
  // Rows of the last prompt that were not computed.
  std::int64_t shared() const { return shared_; }

 private:
  RepeatedPicture(const models::Model& model, std::unique_ptr<engine::Engine> engine);
  Status ask(std::int64_t tokens);

  const models::Model* model_;
  std::unique_ptr<engine::Engine> engine_;
  engine::SlicedEncoder encoder_;
  std::shared_ptr<const models::ImageEmbeddings> picture_;
  std::int64_t shared_ = 0;
  std::int32_t question_ = 0;
};

}  // namespace ocellus::benchmark
