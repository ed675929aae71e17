#include "models/internvl/family.h"

#include "base/result.h"
#include "models/internvl/config.h"
#include "models/internvl/connector.h"
#include "models/internvl/random.h"
#include "models/internvl/tiling.h"
#include "models/parts/tiled_description.h"

namespace ocellus::models {
namespace {

constexpr std::string_view kModelTypes[] = {"internvl", "internvl_chat"};
constexpr std::string_view kProjectorTypes[] = {"internvl"};

using Prefix = std::pair<std::string_view, std::string_view>;

// As published, and as 5.x saves it.
constexpr Prefix kPublished[] = {
    {"tower.", "vision_tower."},
    {"projector.", "multi_modal_projector."},
    {"language.", "language_model.model."},
    {"lm_head.", "language_model.lm_head."},
};
// As the reference has it in memory.
constexpr Prefix kInner[] = {
    {"tower.", "model.vision_tower."},
    {"projector.", "model.multi_modal_projector."},
    {"language.", "model.language_model."},
    {"lm_head.", "lm_head."},
};
// InternVL's own layout.
constexpr Prefix kOwn[] = {
    {"tower.", "vision_model."},
    {"projector.layer_norm.", "mlp1.0."},
    {"projector.linear_1.", "mlp1.1."},
    {"projector.linear_2.", "mlp1.3."},
    {"language.", "language_model.model."},
    {"lm_head.", "language_model.lm_head."},
};
constexpr NameStyle kStyles[] = {kPublished, kInner}, kOwnStyles[] = {kOwn};
constexpr std::string_view kUnused[] = {".inv_freq", "embeddings.mask_token"};

TensorTable tensors_of(const InternVlConfig& c) {
  TensorTable table(c.own_layout ? std::span<const NameStyle>(kOwnStyles) : kStyles, kUnused);
  add_vision_tower_tensors(table, c.tower, c.features, c.gguf_ffn_swapped);
  add_internvl_connector_tensors(table, c);
  add_decoder_tensors(table, c.language);
  return table;
}

class InternVlDescription final : public TiledDescription {
 public:
  InternVlDescription(std::unique_ptr<const InternVlConfig> config, ModelTensors tensors)
      : TiledDescription(*config, config->max_rows(), std::move(tensors)),
        config_(std::move(config)) {}

  Status put_gguf_tower(formats::GgufWriter& writer) const override {
    return put_internvl_gguf(writer, *config_, path());
  }

 protected:
  Result<std::unique_ptr<const Tiling>> make_tiling(const PictureOptions& options) const override {
    return make_internvl_tiling(*config_, options);
  }

  Result<std::unique_ptr<const Connector>> load_connector(
      const WeightLoader& loader) const override {
    return load_internvl_connector(*config_, loader);
  }

 private:
  std::unique_ptr<const InternVlConfig> config_;
};

Result<std::unique_ptr<const ModelDescription>> describe(const Checkpoint& checkpoint) {
  OCELLUS_ASSIGN_OR_RETURN(InternVlConfig config, read_internvl_config(checkpoint));
  OCELLUS_ASSIGN_OR_RETURN(ModelTensors tensors,
                           ModelTensors::bind(checkpoint, tensors_of(config)));
  return std::make_unique<const InternVlDescription>(
      std::make_unique<const InternVlConfig>(std::move(config)), std::move(tensors));
}

}  // namespace

constinit const Family kInternVl = {.name = "internvl",
                                    .model_types = kModelTypes,
                                    .projector_types = kProjectorTypes,
                                    .describe = describe,
                                    .random_models = internvl_random_models};

}  // namespace ocellus::models
