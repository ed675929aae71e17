// A LLaVA model: tower, projector and language model, loaded from one checkpoint. Paper:
// arXiv:2310.03744. Reference: transformers, models/llava/modeling_llava.py.
#pragma once

#include <memory>
#include <optional>

#include "compute/backend.h"
#include "models/checkpoint.h"
#include "models/parts/decoder.h"
#include "models/parts/projector.h"
#include "models/parts/vision_tower.h"

namespace ocellus::models {

struct LoadOptions {
  // How the language model's matrices are held; nothing: as stored. bf16 that is asked for is
  // multiplied in bf16, bf16 that is only stored in f32.
  std::optional<tensor::DType> weights;
  // The same for tower and projector. Nothing: as stored; but beside a language model of block
  // types 16-bit floats become bf16, multiplied as such, whose rounding is far below that of the
  // blocks.
  std::optional<tensor::DType> tower_weights;
  Progress progress;
  StopCheck stop;
};

// Immutable after loading; whoever runs it brings scratch.
class LlavaModel {
 public:
  struct Scratch {
    std::unique_ptr<compute::Workspace> workspace;
    VisionTower::Scratch tower;
    MatrixBuffer projector;
    Decoder::Scratch decoder;
  };

  // kBadModel, kUnsupported, kOutOfMemory, kCancelled. The backend must outlive the model. Of a
  // packed model, whose weights are held as they were packed, nothing but the vectors is read;
  // kInvalidArgument where another type is asked for.
  static Result<std::unique_ptr<LlavaModel>> load(const Checkpoint& checkpoint,
                                                  const compute::Backend& backend,
                                                  const LoadOptions& options);

  // Makes every weight that load() would make and gives it to the sink. Returns how attention is
  // computed. kInvalidArgument for a model that is packed already, and what load() gives.
  static Result<PartArithmetic> pack(const Checkpoint& checkpoint, const compute::Backend& backend,
                                     const LoadOptions& options, WeightSink& sink);

  const formats::ModelConfig& config() const { return config_; }
  const compute::Backend& backend() const { return *backend_; }
  const Decoder& decoder() const { return decoder_; }
  Scratch make_scratch() const;

  std::int64_t image_tokens() const { return tower_.feature_rows(); }
  std::int64_t feature_width() const { return tower_.feature_width(); }

  // pixels [3, image_size, image_size] -> features [image_tokens, feature_width], the selected ones
  // before the projector.
  Status encode(const float* pixels, Scratch& scratch, const StopCheck& stop,
                compute::Matrix features) const;
  // features -> embeddings [image_tokens, hidden_size].
  Status project(compute::ConstMatrix features, Scratch& scratch, compute::Matrix embeddings) const;

 private:
  explicit LlavaModel(const compute::Backend& backend) : backend_(&backend) {}
  Status load_parts(const Checkpoint& checkpoint, const PartArithmetic& arithmetic,
                    const LoadOptions& options, WeightSink* sink);

  const compute::Backend* backend_;
  formats::ModelConfig config_;
  VisionTower tower_;
  Projector projector_;
  Decoder decoder_;
};

// Bytes that the weights will take when held as `weights` / `tower_weights`: known before anything
// is loaded.
std::size_t weight_bytes(const Checkpoint& checkpoint, const LoadOptions& options);

}  // namespace ocellus::models
