#include "models/idefics3/family.h"

#include "base/result.h"
#include "models/idefics3/config.h"
#include "models/idefics3/connector.h"
#include "models/idefics3/random.h"
#include "models/idefics3/tiling.h"
#include "models/parts/tiled_description.h"

namespace ocellus::models {
namespace {

constexpr std::string_view kModelTypes[] = {"idefics3", "smolvlm"};
constexpr std::string_view kProjectorTypes[] = {"idefics3"};

using Prefix = std::pair<std::string_view, std::string_view>;

constexpr Prefix kNames[] = {
    {"tower.", "model.vision_model."},
    {"projector.", "model.connector.modality_projection."},
    {"language.", "model.text_model."},
    {"lm_head.", "lm_head."},
};
constexpr NameStyle kStyles[] = {kNames};
constexpr std::string_view kUnused[] = {".position_ids", ".inv_freq"};

TensorTable tensors_of(const Idefics3Config& c) {
  TensorTable table(kStyles, kUnused);
  add_vision_tower_tensors(table, c.tower, c.features, c.gguf_ffn_swapped);
  add_idefics3_connector_tensors(table, c);
  add_decoder_tensors(table, c.language);
  return table;
}

class Idefics3Description final : public TiledDescription {
 public:
  Idefics3Description(std::unique_ptr<const Idefics3Config> config, ModelTensors tensors)
      : TiledDescription(*config, config->max_rows(), std::move(tensors)),
        config_(std::move(config)) {}

  Status put_gguf_tower(formats::GgufWriter& writer) const override {
    return put_idefics3_gguf(writer, *config_, path());
  }

 protected:
  Result<std::unique_ptr<const Tiling>> make_tiling(const PictureOptions& options) const override {
    return make_idefics3_tiling(*config_, options);
  }

  Result<std::unique_ptr<const Connector>> load_connector(
      const WeightLoader& loader) const override {
    return load_idefics3_connector(*config_, loader);
  }

 private:
  std::unique_ptr<const Idefics3Config> config_;
};

Result<std::unique_ptr<const ModelDescription>> describe(const Checkpoint& checkpoint) {
  OCELLUS_ASSIGN_OR_RETURN(Idefics3Config config, read_idefics3_config(checkpoint));
  OCELLUS_ASSIGN_OR_RETURN(ModelTensors tensors,
                           ModelTensors::bind(checkpoint, tensors_of(config)));
  return std::make_unique<const Idefics3Description>(
      std::make_unique<const Idefics3Config>(std::move(config)), std::move(tensors));
}

}  // namespace

constinit const Family kIdefics3 = {.name = "idefics3",
                                    .model_types = kModelTypes,
                                    .projector_types = kProjectorTypes,
                                    .describe = describe,
                                    .random_models = idefics3_random_models};

}  // namespace ocellus::models
