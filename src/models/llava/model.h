// A LLaVA model: tower, projector and language model, loaded from one checkpoint. Paper:
// arXiv:2310.03744. Reference: transformers, models/llava/modeling_llava.py.
#pragma once

#include <memory>

#include "compute/backend.h"
#include "models/family.h"
#include "models/llava/config.h"
#include "models/load_options.h"
#include "models/model_tensors.h"
#include "models/parts/decoder.h"
#include "models/parts/mlp_projector.h"
#include "models/parts/vision_tower.h"
#include "models/parts/weight_loader.h"

namespace ocellus::models {

// Immutable after loading; any thread.
class LlavaModel final : public Model {
 public:
  // As ModelDescription::load() and pack().
  static Result<std::unique_ptr<LlavaModel>> load(const LlavaConfig& config,
                                                  const ModelSummary& summary,
                                                  const ModelTensors& tensors,
                                                  const compute::Backend& backend,
                                                  const LoadOptions& options);
  static Result<PartArithmetic> pack(const LlavaConfig& config, const ModelTensors& tensors,
                                     const compute::Backend& backend, const LoadOptions& options,
                                     WeightSink& sink);

  const ModelFacts& facts() const override { return facts_; }
  const LanguageModel& language() const override { return *decoder_; }
  Result<ImagePlan> plan_image(std::int64_t height, std::int64_t width) const override;
  Result<PreparedImage> prepare_image(const image::Image& picture) const override;
  std::unique_ptr<ImageEncoder> make_encoder() const override;

 private:
  class Encoder;
  LlavaModel(const LlavaConfig& config, const compute::Backend& backend)
      : backend_(&backend), config_(config) {}
  Status load_parts(const ModelTensors& tensors, const PartArithmetic& arithmetic,
                    const LoadOptions& options, WeightSink* sink);

  const compute::Backend* backend_;
  LlavaConfig config_;
  ModelFacts facts_;
  image::PreprocessSettings preprocessing_;
  VisionTower tower_;
  MlpProjector projector_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace ocellus::models
