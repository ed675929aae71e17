#include "models/parts/tiled_description.h"

#include "base/result.h"

namespace ocellus::models {
namespace {

ModelSummary summary_of(const TiledConfig& c, std::int64_t max_rows) {
  return {.family = c.family,
          .tower = {.name = c.tower.name,
                    .layers = c.tower.layers,
                    .hidden_size = c.tower.hidden_size,
                    .heads = c.tower.heads,
                    .patch_size = c.tower.patch_size,
                    .image_size = c.tower.image_size},
          .language = {.name = c.language.name,
                       .layers = c.language.layers,
                       .hidden_size = c.language.hidden_size,
                       .intermediate_size = c.language.intermediate_size,
                       .heads = c.language.heads,
                       .kv_heads = c.language.kv_heads,
                       .head_dim = c.language.head_dim,
                       .vocab_size = c.language.vocab_size,
                       .max_position = c.language.max_position},
          .image_rows = max_rows,
          .tiles = c.cuts};
}

}  // namespace

TiledDescription::TiledDescription(const TiledConfig& config, std::int64_t max_rows,
                                   ModelTensors tensors)
    : config_(&config), tensors_(std::move(tensors)), summary_(summary_of(config, max_rows)) {}

Result<std::unique_ptr<const Tiling>> TiledDescription::tiling(
    const PictureOptions& options) const {
  auto made = make_tiling(options);
  if (!made) return base::with_context(std::move(made).error(), path());
  return made;
}

Result<ImageFacts> TiledDescription::image_facts(image::Size size,
                                                 const PictureOptions& options) const {
  OCELLUS_ASSIGN_OR_RETURN(const auto made, tiling(options));
  return made->facts(size);
}

Result<std::vector<image::Image>> TiledDescription::tower_inputs(
    const image::Image& picture, const PictureOptions& options) const {
  OCELLUS_ASSIGN_OR_RETURN(const auto made, tiling(options));
  return made->cut(picture, ImageUse::kAlone);
}

Result<std::unique_ptr<Model>> TiledDescription::load(const compute::Backend& backend,
                                                      const LoadOptions& options) const {
  OCELLUS_ASSIGN_OR_RETURN(auto made, tiling(options.pictures));
  return TiledModel::load(
      *config_, summary_, tensors_, std::move(made),
      [this](const WeightLoader& loader) { return load_connector(loader); }, backend, options);
}

Result<PartArithmetic> TiledDescription::pack(const compute::Backend& backend,
                                              const LoadOptions& options, WeightSink& sink) const {
  return TiledModel::pack(
      *config_, tensors_, [this](const WeightLoader& loader) { return load_connector(loader); },
      backend, options, sink);
}

std::string_view TiledDescription::gguf_architecture() const {
  return config_->language.gguf_architecture;
}

Status TiledDescription::put_gguf_language(formats::GgufWriter& writer) const {
  return put_decoder_gguf(writer, config_->language, path());
}

std::vector<float> TiledDescription::gguf_values(const TensorSpec& spec) const {
  if (spec.name != "language.rope_freqs.weight") return {};
  return rope_divisors(config_->language.rope);
}

}  // namespace ocellus::models
