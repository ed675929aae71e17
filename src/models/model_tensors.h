// The tensors of a checkpoint under a family's names.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint.h"
#include "models/tensor_table.h"
#include "ocellus/error.h"

namespace ocellus::models {

// Read-only; any thread. The checkpoint must outlive it, where it is.
class ModelTensors {
 public:
  // Finds each tensor of the table by the names that the checkpoint's files use: GGUF's, or one of
  // the styles of Hugging Face checkpoints. What the checkpoint has beside them is ignored, what it
  // lacks is an error only when it is asked for. kBadModel for two spellings of one tensor.
  static Result<ModelTensors> bind(const Checkpoint& checkpoint, TensorTable table);

  const Checkpoint& checkpoint() const { return *checkpoint_; }
  const TensorTable& table() const { return table_; }

  // Null where the table has no such tensor, or the checkpoint lacks it.
  const StoredTensor* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // With the shape that the table says. kBadModel in the file's own spelling when it is missing or
  // of another shape, kUnsupported for a type that cannot be computed with.
  Result<tensor::TensorView> view(const TensorSpec& spec) const;
  // Not 0: the stored rows are in interleaved RoPE order, of so many heads.
  std::int64_t permuted_heads(const TensorSpec& spec) const;
  // As this checkpoint's files spell it, though they may lack it.
  std::string stored_name(const TensorSpec& spec) const;

  // Names of the checkpoint's tensors that the table lacks, but those that it says are unused.
  std::vector<std::string> ignored() const;

  // Of the tensors that the table names.
  std::size_t stored_bytes() const;
  std::int64_t parameters() const;

 private:
  ModelTensors(const Checkpoint& checkpoint, TensorTable table)
      : checkpoint_(&checkpoint), table_(std::move(table)) {}

  Status bind_gguf();
  Result<const StoredTensor*> join_frames(const TensorSpec& spec, const StoredTensors& from);
  Status bind_hugging_face();
  const StoredTensor* slice_of(const TensorSpec& spec, NameStyle style);

  const Checkpoint* checkpoint_;
  TensorTable table_;
  std::vector<const StoredTensor*> stored_;  // of each row of the table; null: none
  // Tensors that are rows of one of the checkpoint's, or several of them in one, and the names of
  // those.
  struct Made {
    StoredTensor tensor;
    std::vector<std::byte> bytes = {};  // of what is no part of the checkpoint's
  };
  std::shared_ptr<std::deque<Made>> made_ = std::make_shared<std::deque<Made>>();
  std::set<std::string, std::less<>> made_of_;
  NameStyle style_;  // the one that most of them follow
};

}  // namespace ocellus::models
