#include "models/parts/composed_description.h"

#include "base/result.h"

namespace ocellus::models {
namespace {

ModelSummary summary_of(const ComposedConfig& c, const ModelSummary::Tower& tower,
                        std::int64_t max_rows) {
  return {.family = c.family,
          .tower = tower,
          .language = {.name = c.language.name,
                       .layers = c.language.layers,
                       .hidden_size = c.language.hidden_size,
                       .intermediate_size = c.language.intermediate_size,
                       .heads = c.language.heads,
                       .kv_heads = c.language.kv_heads,
                       .head_dim = c.language.head_dim,
                       .vocab_size = c.language.vocab_size,
                       .max_position = c.language.max_position,
                       .kv_layers = c.language.layers - c.language.linear_count(),
                       .state_bytes = c.language.state_bytes()},
          .image_rows = max_rows,
          .several_rows = c.several_rows};
}

}  // namespace

ComposedDescription::ComposedDescription(const ComposedConfig& config,
                                         const ModelSummary::Tower& tower, std::int64_t max_rows,
                                         ModelTensors tensors)
    : config_(&config),
      tensors_(std::move(tensors)),
      summary_(summary_of(config, tower, max_rows)) {}

Result<std::unique_ptr<Model>> ComposedDescription::load(const compute::Backend& backend,
                                                         const LoadOptions& options) const {
  return ComposedModel::load(
      *config_, summary_, tensors_,
      [&](const WeightLoader& loader) { return load_pictures(options.pictures, loader); }, backend,
      options);
}

Result<PartArithmetic> ComposedDescription::pack(const compute::Backend& backend,
                                                 const LoadOptions& options,
                                                 WeightSink& sink) const {
  return ComposedModel::pack(
      *config_, tensors_,
      [&](const WeightLoader& loader) { return load_pictures(options.pictures, loader); }, backend,
      options, sink);
}

std::string_view ComposedDescription::gguf_architecture() const {
  return config_->language.gguf_architecture;
}

Status ComposedDescription::put_gguf_language(formats::GgufWriter& writer) const {
  return put_decoder_gguf(writer, config_->language, path());
}

std::vector<float> ComposedDescription::gguf_values(const TensorSpec& spec) const {
  if (spec.name != "language.rope_freqs.weight") return {};
  return rope_divisors(config_->language.rope);
}

}  // namespace ocellus::models
