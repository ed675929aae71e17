#include "models/qwen_vl/family.h"

#include "base/result.h"
#include "models/parts/composed_description.h"
#include "models/qwen_vl/config.h"
#include "models/qwen_vl/pictures.h"
#include "models/qwen_vl/random.h"

namespace ocellus::models {
namespace {

constexpr std::string_view kModelTypes[] = {"qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_5"};
constexpr std::string_view kProjectorTypes[] = {"qwen2vl_merger", "qwen2.5vl_merger",
                                                "qwen3vl_merger"};

using Prefix = std::pair<std::string_view, std::string_view>;

// Qwen2-VL's and 2.5-VL's as published.
constexpr Prefix kPublished[] = {
    {"tower.", "visual."}, {"language.", "model."}, {"lm_head.", "lm_head."}};
// Qwen3-VL's as published, and the others as the reference has them in memory.
constexpr Prefix kInner[] = {
    {"tower.", "model.visual."}, {"language.", "model.language_model."}, {"lm_head.", "lm_head."}};
constexpr NameStyle kStyles[] = {kPublished, kInner};
// Qwen3.5's "mtp." predicts several tokens at once, which is another way to the same text.
constexpr std::string_view kUnused[] = {".inv_freq", "mtp."};

TensorTable tensors_of(const QwenVlConfig& c) {
  TensorTable table(kStyles, kUnused);
  add_grid_tower_tensors(table, c.tower);
  add_decoder_tensors(table, c.language);
  return table;
}

class QwenVlDescription final : public ComposedDescription {
 public:
  QwenVlDescription(std::unique_ptr<const QwenVlConfig> config, ModelTensors tensors)
      : ComposedDescription(*config,
                            {.name = config->tower.name,
                             .layers = config->tower.layers,
                             .hidden_size = config->tower.hidden_size,
                             .heads = config->tower.heads,
                             .patch_size = config->tower.patch,
                             .image_size = 0},
                            config->max_rows(), std::move(tensors)),
        config_(std::move(config)) {
    const auto usual = within_limits(*config_, {});
    if (usual && usual->unbounded_pixels > 0) set_usual_rows(usual->max_rows());
  }

  Result<ImageFacts> image_facts(image::Size size, const PictureOptions& options) const override {
    OCELLUS_ASSIGN_OR_RETURN(const QwenVlConfig c, limited(options));
    OCELLUS_ASSIGN_OR_RETURN(const image::Size seen, qwen_vl_size(c, size));
    OCELLUS_ASSIGN_OR_RETURN(const image::Size most, qwen_vl_unbounded_size(c, size));
    const auto rows = [&](image::Size s) { return s.height / c.unit() * (s.width / c.unit()); };
    return ImageFacts{.fit = "exact",
                      .resized = seen,
                      .seen = seen,
                      .rows = rows(seen),
                      .unbounded_rows = most == seen ? 0 : rows(most)};
  }

  Result<std::vector<image::Image>> tower_inputs(const image::Image& picture,
                                                 const PictureOptions& options) const override {
    OCELLUS_ASSIGN_OR_RETURN(const QwenVlConfig c, limited(options));
    OCELLUS_ASSIGN_OR_RETURN(image::Image resized, qwen_vl_resized(c, picture));
    std::vector<image::Image> inputs;
    inputs.push_back(std::move(resized));
    return inputs;
  }

  Status put_gguf_language(formats::GgufWriter& writer) const override {
    OCELLUS_RETURN_IF_ERROR(ComposedDescription::put_gguf_language(writer));
    if (const std::size_t deep = config_->tower.deep_layers.size(); deep > 0) {
      writer.put_u32(std::string(gguf_architecture()) + ".n_deepstack_layers",
                     static_cast<std::uint32_t>(deep));
    }
    return {};
  }

  Status put_gguf_tower(formats::GgufWriter& writer) const override {
    return put_qwen_vl_gguf(writer, *config_, path());
  }

 protected:
  Result<std::unique_ptr<const Pictures>> load_pictures(const PictureOptions& options,
                                                        const WeightLoader& loader) const override {
    OCELLUS_ASSIGN_OR_RETURN(const QwenVlConfig c, limited(options));
    return load_qwen_vl_pictures(c, loader);
  }

 private:
  Result<QwenVlConfig> limited(const PictureOptions& options) const {
    auto c = within_limits(*config_, options);
    if (!c) return base::with_context(std::move(c).error(), path());
    return c;
  }

  std::unique_ptr<const QwenVlConfig> config_;
};

Result<std::unique_ptr<const ModelDescription>> describe(const Checkpoint& checkpoint) {
  OCELLUS_ASSIGN_OR_RETURN(QwenVlConfig config, read_qwen_vl_config(checkpoint));
  OCELLUS_ASSIGN_OR_RETURN(ModelTensors tensors,
                           ModelTensors::bind(checkpoint, tensors_of(config)));
  return std::make_unique<const QwenVlDescription>(
      std::make_unique<const QwenVlConfig>(std::move(config)), std::move(tensors));
}

}  // namespace

constinit const Family kQwenVl = {.name = "qwen_vl",
                                  .model_types = kModelTypes,
                                  .projector_types = kProjectorTypes,
                                  .describe = describe,
                                  .random_models = qwen_vl_random_models};

}  // namespace ocellus::models
