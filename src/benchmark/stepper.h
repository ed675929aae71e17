// Runs a model's parts as the engine does, at any context, without requests: keys and values of
// earlier positions need not be computed to cost the time of reading them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/kv_pool.h"
#include "engine/recurrent_state.h"
#include "models/family.h"
#include "models/parts/matrix_buffer.h"
#include "ocellus/error.h"

namespace ocellus::benchmark {

// One thread; the model must outlive it.
class Stepper {
 public:
  // kUnsupported when the backend cannot keep a cache of type `kv`.
  static Result<std::unique_ptr<Stepper>> create(const models::Model& model, tensor::DType kv);

  // Room for `streams` sequences of `positions`, its memory touched. kOutOfMemory.
  Status reserve(std::int64_t streams, std::int64_t positions);

  // A photo of a megapixel, as the tower takes it; the rows that it gives.
  Result<std::int64_t> prepare_picture();
  // Tower and projector on that photo; prompt() then takes its embeddings.
  Status picture();
  // A prompt of `tokens` in the first sequence, from position 0, in chunks as long as the engine's;
  // the first rows are the picture's where `with_picture`. Chooses a token. reserve() comes first.
  Status prompt(std::int64_t tokens, bool with_picture);
  // One step: a token at position `context` of each of the first `streams` sequences, and the
  // choice of the next ones. reserve() comes first.
  Status step(std::int64_t streams, std::int64_t context);

 private:
  Stepper(const models::Model& model, const compute::KvGeometry& geometry, std::size_t block_bytes);

  // Where each row of a step stands; its sequences are given in the order of their rows.
  void add_rows(models::Step& step, std::size_t stream, const compute::SequenceRows& rows);
  Status forward(models::Step& step);

  const models::Model& model_;
  engine::KvPool pool_;
  std::size_t block_bytes_;
  std::int64_t chunk_ = engine::EngineOptions{}.chunk_tokens;
  std::vector<std::unique_ptr<engine::BlockTable>> sequences_;
  std::vector<engine::RecurrentState> states_;  // of each sequence
  std::unique_ptr<models::LanguageModel::Scratch> scratch_;
  std::unique_ptr<models::ImageEncoder> encoder_;
  models::MatrixBuffer inputs_, logits_;
  models::PreparedImage prepared_;
  models::ImageEmbeddings picture_;
  std::vector<std::vector<models::Position>> positions_;  // of the step's sequences
  engine::Sampler sampler_{engine::SamplingOptions{}};
};

}  // namespace ocellus::benchmark
