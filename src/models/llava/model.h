// A LLaVA model: tower, projector and language model, loaded from one checkpoint. Paper:
// arXiv:2310.03744. Reference: transformers, models/llava/modeling_llava.py.
#pragma once

#include <memory>
#include <optional>

#include "compute/backend.h"
#include "image/preprocess.h"
#include "models/checkpoint.h"
#include "models/parts/decoder.h"
#include "models/family.h"
#include "models/parts/projector.h"
#include "models/parts/vision_tower.h"
#include "ocellus/options.h"

namespace ocellus::models {

struct LoadOptions {
  // How the language model's matrices are held; nothing: as stored. bf16 that is asked for is
  // multiplied in bf16, bf16 that is only stored in f32.
  std::optional<tensor::DType> weights;
  // The same for tower and projector. Nothing: as stored; but beside a language model of block
  // types 16-bit floats become bf16, multiplied as such, whose rounding is far below that of the
  // blocks.
  std::optional<tensor::DType> tower_weights;
  Preprocess preprocess = Preprocess::kModel;  // what happens to pictures that are not square
  Progress progress;
  StopCheck stop;
};

// Immutable after loading; any thread.
class LlavaModel final : public Model {
 public:
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
  const ModelFacts& facts() const override { return facts_; }
  const LanguageModel& language() const override { return *decoder_; }
  Result<ImagePlan> plan_image(std::int64_t height, std::int64_t width) const override;
  Result<PreparedImage> prepare_image(const image::Image& picture) const override;
  std::unique_ptr<ImageEncoder> make_encoder() const override;

 private:
  class Encoder;
  explicit LlavaModel(const compute::Backend& backend) : backend_(&backend) {}
  Status load_parts(const Checkpoint& checkpoint, const PartArithmetic& arithmetic,
                    const LoadOptions& options, WeightSink* sink);

  const compute::Backend* backend_;
  formats::ModelConfig config_;
  ModelFacts facts_;
  image::PreprocessSettings preprocessing_;
  VisionTower tower_;
  Projector projector_;
  std::unique_ptr<Decoder> decoder_;
};

// The settings that the checkpoint's own files ask for, with the caller's choice for pictures that
// are not square. kBadModel when they do not give what the tower takes.
Result<image::PreprocessSettings> preprocess_settings(const formats::ImageProcessorConfig& config,
                                                      const formats::TowerConfig& tower,
                                                      Preprocess requested);

// Bytes that the weights will take when held as `weights` / `tower_weights`: known before anything
// is loaded.
std::size_t weight_bytes(const Checkpoint& checkpoint, const LoadOptions& options);

}  // namespace ocellus::models
