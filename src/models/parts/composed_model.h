// A model of a part that sees pictures and a decoder: all families so far. They differ in the
// former.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compute/backend.h"
#include "models/description.h"
#include "models/family.h"
#include "models/load_options.h"
#include "models/model_tensors.h"
#include "models/parts/decoder.h"
#include "models/parts/weight_loader.h"

namespace ocellus::models {

// What all families read of a checkpoint.
struct ComposedConfig {
  std::string family;
  bool several_rows = false;  // how many a picture gives depends on it
  DecoderConfig language;
  ModelTokens tokens;
  // What the checkpoint leaves out and was taken from what is published, for people.
  std::vector<std::string> assumed = {};
};

// From a picture to rows of the language model, weights included. Immutable; any thread.
class Pictures {
 public:
  virtual ~Pictures() = default;

  virtual std::int64_t image_size() const = 0;  // ModelFacts
  virtual std::int64_t max_rows() const = 0;
  virtual PixelShape pixel_shape() const = 0;
  // As those of Model.
  virtual ImageUse use(std::size_t images) const = 0;
  virtual Result<ImagePlan> plan(image::Size size, ImageUse use) const = 0;
  virtual Result<PreparedImage> prepare(const image::Image& picture, ImageUse use) const = 0;
  virtual std::unique_ptr<ImageEncoder> make_encoder() const = 0;
};

// Immutable after loading; any thread.
class ComposedModel final : public Model {
 public:
  using LoadPictures =
      std::function<Result<std::unique_ptr<const Pictures>>(const WeightLoader& loader)>;

  // As ModelDescription::load() and pack().
  static Result<std::unique_ptr<ComposedModel>> load(const ComposedConfig& config,
                                                     const ModelSummary& summary,
                                                     const ModelTensors& tensors,
                                                     const LoadPictures& load_pictures,
                                                     const compute::Backend& backend,
                                                     const LoadOptions& options);
  static Result<PartArithmetic> pack(const ComposedConfig& config, const ModelTensors& tensors,
                                     const LoadPictures& load_pictures,
                                     const compute::Backend& backend, const LoadOptions& options,
                                     WeightSink& sink);

  const ModelFacts& facts() const override { return facts_; }
  const LanguageModel& language() const override { return *decoder_; }
  ImageUse image_use(std::size_t images) const override { return pictures_->use(images); }
  Result<ImagePlan> plan_image(image::Size size, ImageUse use) const override {
    return pictures_->plan(size, use);
  }
  Result<PreparedImage> prepare_image(const image::Image& picture, ImageUse use) const override {
    return pictures_->prepare(picture, use);
  }
  std::unique_ptr<ImageEncoder> make_encoder() const override { return pictures_->make_encoder(); }

 private:
  Status load_parts(const ComposedConfig& config, const ModelTensors& tensors,
                    const LoadPictures& load_pictures, const compute::Backend& backend,
                    const PartArithmetic& arithmetic, const LoadOptions& options, WeightSink* sink);

  ModelFacts facts_;
  std::unique_ptr<const Pictures> pictures_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace ocellus::models
