// What a checkpoint says of a model that is composed of a part for pictures and a decoder.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "models/description.h"
#include "models/parts/composed_model.h"

namespace ocellus::models {

class ComposedDescription : public ModelDescription {
 public:
  const ModelSummary& summary() const override { return summary_; }
  const ModelTokens& tokens() const override { return config_->tokens; }
  const ModelTensors& tensors() const override { return tensors_; }
  std::span<const std::string> assumed() const override { return config_->assumed; }
  Result<std::unique_ptr<Model>> load(const compute::Backend& backend,
                                      const LoadOptions& options) const override;
  Result<PartArithmetic> pack(const compute::Backend& backend, const LoadOptions& options,
                              WeightSink& sink) const override;
  std::string_view gguf_architecture() const override;
  Status put_gguf_language(formats::GgufWriter& writer) const override;
  std::vector<float> gguf_values(const TensorSpec& spec) const override;

 protected:
  // `config` is a part of the family's own, which it holds; `max_rows`: of one picture.
  ComposedDescription(const ComposedConfig& config, const ModelSummary::Tower& tower,
                      std::int64_t max_rows, ModelTensors tensors);

  // kInvalidArgument for options that the family has no way to follow, and as load().
  virtual Result<std::unique_ptr<const Pictures>> load_pictures(
      const PictureOptions& options, const WeightLoader& loader) const = 0;

  void set_usual_rows(std::int64_t rows) { summary_.usual_rows = rows; }
  std::string path() const { return tensors_.checkpoint().path.string(); }

 private:
  const ComposedConfig* config_;
  ModelTensors tensors_;
  ModelSummary summary_;
};

}  // namespace ocellus::models
