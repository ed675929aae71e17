#include "models/parts/anyres_description.h"

#include "base/result.h"
#include "models/parts/anyres_connector.h"
#include "models/parts/anyres_tiling.h"
#include "models/parts/tiled_description.h"

namespace ocellus::models {
namespace {

class AnyresDescription final : public TiledDescription {
 public:
  AnyresDescription(std::unique_ptr<const AnyresModelConfig> config, ModelTensors tensors)
      : TiledDescription(*config, config->anyres.max_rows(), std::move(tensors)),
        config_(std::move(config)) {}

  Status put_gguf_tower(formats::GgufWriter& writer) const override {
    return put_anyres_gguf(writer, *config_, tensors().has("tower.post_layernorm.weight"), path());
  }

 protected:
  Result<std::unique_ptr<const Tiling>> make_tiling(const PictureOptions& options) const override {
    OCELLUS_RETURN_IF_ERROR(check_preprocess_is_models(options));
    OCELLUS_RETURN_IF_ERROR(check_no_minimum(options));
    OCELLUS_ASSIGN_OR_RETURN(const AnyresConfig anyres, limited(config_->anyres, options));
    return make_anyres_tiling(anyres, config_->images);
  }

  Result<std::unique_ptr<const Connector>> load_connector(
      const WeightLoader& loader) const override {
    return AnyresConnector::load(config_->anyres, config_->projector, loader);
  }

 private:
  std::unique_ptr<const AnyresModelConfig> config_;
};

}  // namespace

Result<std::unique_ptr<const ModelDescription>> describe_anyres(const Checkpoint& checkpoint,
                                                                const AnyresDefaults& defaults) {
  OCELLUS_ASSIGN_OR_RETURN(AnyresModelConfig config, read_anyres_config(checkpoint, defaults));
  TensorTable table = mlp_tiled_tensors(config);
  add_newline_tensor(table, config.language.hidden_size, config.gguf_newline);
  OCELLUS_ASSIGN_OR_RETURN(ModelTensors tensors, ModelTensors::bind(checkpoint, std::move(table)));
  return std::make_unique<const AnyresDescription>(
      std::make_unique<const AnyresModelConfig>(std::move(config)), std::move(tensors));
}

}  // namespace ocellus::models
