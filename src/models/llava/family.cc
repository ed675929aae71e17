#include "models/llava/family.h"

#include "base/result.h"
#include "models/llava/config.h"
#include "models/llava/model.h"
#include "models/llava/preprocess.h"
#include "models/llava/random.h"
#include "models/llava/tensors.h"

namespace ocellus::models {
namespace {

constexpr std::string_view kModelTypes[] = {"llava"};
constexpr std::string_view kProjectorTypes[] = {"mlp"};

ModelSummary summary_of(const LlavaConfig& c) {
  return {.family = "llava",
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
          .image_rows = c.image_rows()};
}

class LlavaDescription final : public ModelDescription {
 public:
  LlavaDescription(LlavaConfig config, ModelTensors tensors)
      : config_(std::move(config)), tensors_(std::move(tensors)), summary_(summary_of(config_)) {}

  const ModelSummary& summary() const override { return summary_; }
  const ModelTokens& tokens() const override { return config_.tokens; }
  const ModelTensors& tensors() const override { return tensors_; }

  Result<ImageFacts> image_facts(image::Size size, Preprocess preprocess) const override {
    auto facts = llava_image_facts(config_, size, preprocess);
    if (!facts) return base::with_context(std::move(facts).error(), path());
    return facts;
  }

  Result<std::vector<image::Image>> tower_inputs(const image::Image& picture,
                                                 Preprocess preprocess) const override {
    OCELLUS_ASSIGN_OR_RETURN(const image::PreprocessSettings settings,
                             llava_preprocess_settings(config_, preprocess));
    OCELLUS_ASSIGN_OR_RETURN(image::PixelValues pixels, image::preprocess(picture, settings));
    std::vector<image::Image> inputs;
    inputs.push_back(std::move(pixels.resized));
    return inputs;
  }

  Result<std::unique_ptr<Model>> load(const compute::Backend& backend,
                                      const LoadOptions& options) const override {
    return LlavaModel::load(config_, summary_, tensors_, backend, options);
  }

  Result<PartArithmetic> pack(const compute::Backend& backend, const LoadOptions& options,
                              WeightSink& sink) const override {
    return LlavaModel::pack(config_, tensors_, backend, options, sink);
  }

  std::string_view gguf_architecture() const override { return config_.language.gguf_architecture; }

  Status put_gguf_language(formats::GgufWriter& writer) const override {
    return put_decoder_gguf(writer, config_.language, path());
  }

  Status put_gguf_tower(formats::GgufWriter& writer) const override {
    return put_llava_tower_gguf(writer, config_, tensors_.has("tower.post_layernorm.weight"),
                                path());
  }

  std::vector<float> gguf_values(const TensorSpec& spec) const override {
    if (spec.name != "language.rope_freqs.weight") return {};
    return rope_divisors(config_.language.rope);
  }

 private:
  std::string path() const { return tensors_.checkpoint().path.string(); }

  LlavaConfig config_;
  ModelTensors tensors_;
  ModelSummary summary_;
};

Result<std::unique_ptr<const ModelDescription>> describe(const Checkpoint& checkpoint) {
  OCELLUS_ASSIGN_OR_RETURN(LlavaConfig config, read_llava_config(checkpoint));
  OCELLUS_ASSIGN_OR_RETURN(ModelTensors tensors,
                           ModelTensors::bind(checkpoint, llava_tensors(config)));
  return std::make_unique<const LlavaDescription>(std::move(config), std::move(tensors));
}

}  // namespace

constinit const Family kLlava = {.name = "llava",
                                 .model_types = kModelTypes,
                                 .projector_types = kProjectorTypes,
                                 .describe = describe,
                                 .random_models = llava_random_models};

}  // namespace ocellus::models
