// What a checkpoint says of a model whose picture is one or several tower inputs (tiled_model.h).
#pragma once

#include <memory>

#include "models/description.h"
#include "models/parts/tiled_model.h"

namespace ocellus::models {

class TiledDescription : public ModelDescription {
 public:
  const ModelSummary& summary() const override { return summary_; }
  const ModelTokens& tokens() const override { return config_->tokens; }
  const ModelTensors& tensors() const override { return tensors_; }
  std::span<const std::string> assumed() const override { return config_->assumed; }
  Result<ImageFacts> image_facts(image::Size size, const PictureOptions& options) const override;
  Result<std::vector<image::Image>> tower_inputs(const image::Image& picture,
                                                 const PictureOptions& options) const override;
  Result<std::unique_ptr<Model>> load(const compute::Backend& backend,
                                      const LoadOptions& options) const override;
  Result<PartArithmetic> pack(const compute::Backend& backend, const LoadOptions& options,
                              WeightSink& sink) const override;
  std::string_view gguf_architecture() const override;
  Status put_gguf_language(formats::GgufWriter& writer) const override;
  std::vector<float> gguf_values(const TensorSpec& spec) const override;

 protected:
  // `config` is a part of the family's own, which it holds; `max_rows`: of one picture.
  TiledDescription(const TiledConfig& config, std::int64_t max_rows, ModelTensors tensors);

  // kInvalidArgument for options that the family has no way to follow; kBadModel when the image
  // processor's settings do not give what the tower takes. Errors need not name the checkpoint.
  virtual Result<std::unique_ptr<const Tiling>> make_tiling(
      const PictureOptions& options) const = 0;
  virtual Result<std::unique_ptr<const Connector>> load_connector(
      const WeightLoader& loader) const = 0;

  std::string path() const { return tensors_.checkpoint().path.string(); }

 private:
  Result<std::unique_ptr<const Tiling>> tiling(const PictureOptions& options) const;

  const TiledConfig* config_;
  ModelTensors tensors_;
  ModelSummary summary_;
};

}  // namespace ocellus::models
