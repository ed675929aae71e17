#include "models/llava/family.h"

#include "base/result.h"
#include "models/llava/config.h"
#include "models/llava/preprocess.h"
#include "models/llava/random.h"
#include "models/parts/tiled_description.h"

namespace ocellus::models {
namespace {

constexpr std::string_view kModelTypes[] = {"llava"};
constexpr std::string_view kProjectorTypes[] = {"mlp"};

class LlavaDescription final : public TiledDescription {
 public:
  LlavaDescription(std::unique_ptr<const LlavaConfig> config, ModelTensors tensors)
      : TiledDescription(*config, config->feature_rows(), std::move(tensors)),
        config_(std::move(config)) {}

  Status put_gguf_tower(formats::GgufWriter& writer) const override {
    return put_mlp_tiled_gguf(writer, *config_, tensors().has("tower.post_layernorm.weight"),
                              path());
  }

 protected:
  Result<std::unique_ptr<const Tiling>> make_tiling(const PictureOptions& options) const override {
    return make_llava_tiling(*config_, options);
  }

  Result<std::unique_ptr<const Connector>> load_connector(
      const WeightLoader& loader) const override {
    OCELLUS_ASSIGN_OR_RETURN(MlpProjector projector,
                             MlpProjector::load(config_->projector, loader));
    return std::make_unique<const MlpProjector>(std::move(projector));
  }

 private:
  std::unique_ptr<const LlavaConfig> config_;
};

Result<std::unique_ptr<const ModelDescription>> describe(const Checkpoint& checkpoint) {
  OCELLUS_ASSIGN_OR_RETURN(LlavaConfig config, read_llava_config(checkpoint));
  OCELLUS_ASSIGN_OR_RETURN(ModelTensors tensors,
                           ModelTensors::bind(checkpoint, mlp_tiled_tensors(config)));
  return std::make_unique<const LlavaDescription>(
      std::make_unique<const LlavaConfig>(std::move(config)), std::move(tensors));
}

}  // namespace

constinit const Family kLlava = {.name = "llava",
                                 .model_types = kModelTypes,
                                 .projector_types = kProjectorTypes,
                                 .describe = describe,
                                 .random_models = llava_random_models};

}  // namespace ocellus::models
