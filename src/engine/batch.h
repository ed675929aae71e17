// Rows of several sequences on their way through the layers together.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/sequence.h"
#include "models/family.h"
#include "models/parts/matrix_buffer.h"
#include "ocellus/error.h"

namespace ocellus::engine {

// Consecutive rows of one sequence.
struct BatchSlice {
  Sequence* sequence = nullptr;
  std::int64_t first_row = 0, rows = 0, first_slot = 0;
  bool decode = false;          // generated and drafted tokens, else rows of the prompt
  bool samples = false;         // its last row is the last of the sequence: a token is chosen
  std::int64_t logit_rows = 0;  // how many of its last rows go through the head
  std::vector<std::int32_t> draft =
      {};  // tokens of its last rows, which the sequence does not have
};

// One step, layer by layer, with buffers of its own, so that another batch may run in between. One
// thread; the model must outlive it, the sequences its steps.
class Batch {
 public:
  Batch(const models::Model& model, const compute::KvGeometry& geometry)
      : model_(&model), scratch_(model.language().make_scratch()) {
    step_.geometry = geometry;
  }

  // Starts a step. Slices are in the order of their rows, decode rows first, and their slots are
  // reserved. kOutOfMemory.
  Status begin(std::vector<BatchSlice> slices);
  bool active() const { return !slices_.empty(); }
  std::int64_t rows() const { return step_.x.rows; }

  // The next layer, or after the last one the head. kOutOfMemory.
  Status advance();
  bool done() const { return next_ > model_->language().facts().layers; }

  const std::vector<BatchSlice>& slices() const { return slices_; }
  // Once done: the slices' logit rows, in order.
  compute::Matrix logits() const { return logits_; }

  // The step is over. One that was not done does not count: states are as before it.
  void end() noexcept;

 private:
  Status fill_inputs(const BatchSlice& slice);

  const models::Model* model_;
  std::unique_ptr<models::LanguageModel::Scratch> scratch_;
  models::MatrixBuffer inputs_, logits_buffer_;
  compute::Matrix logits_;
  std::vector<BatchSlice> slices_;
  std::vector<std::vector<models::Position>> positions_;        // of the slices
  std::vector<std::vector<compute::SlotRange>> bidirectional_;  // likewise
  models::Step step_;
  std::int64_t next_ = 0;
};

}  // namespace ocellus::engine
