#include "models/parts/mlp_tiled_config.h"

namespace ocellus::models {
namespace {

using Prefix = std::pair<std::string_view, std::string_view>;

// transformers up to 4.51.
constexpr Prefix kUpTo451[] = {
    {"tower.", "vision_tower.vision_model."}, {"projector.", "multi_modal_projector."},
    {"language.", "language_model.model."},   {"lm_head.", "language_model.lm_head."},
    {"image_newline", "image_newline"},
};
// From 4.52 on everything but the head is below the inner model.
constexpr Prefix kFrom452[] = {
    {"tower.", "model.vision_tower.vision_model."}, {"projector.", "model.multi_modal_projector."},
    {"language.", "model.language_model."},         {"lm_head.", "lm_head."},
    {"image_newline", "model.image_newline"},
};
// 5.x: the tower has no inner model; saved for older readers, too.
constexpr Prefix kFrom5[] = {
    {"tower.", "model.vision_tower."},        {"projector.", "model.multi_modal_projector."},
    {"language.", "model.language_model."},   {"lm_head.", "lm_head."},
    {"image_newline", "model.image_newline"},
};
constexpr Prefix kFrom5ForOlder[] = {
    {"tower.", "vision_tower."},
    {"projector.", "multi_modal_projector."},
    {"language.", "language_model.model."},
    {"lm_head.", "language_model.lm_head."},
    {"image_newline", "image_newline"},
};
constexpr NameStyle kStyles[] = {kUpTo451, kFrom452, kFrom5, kFrom5ForOlder};

// Numbers of positions, frequencies of rope, and SigLIP's pooling head.
constexpr std::string_view kUnused[] = {".position_ids", ".inv_freq", "vision_model.head.",
                                        "vision_tower.head."};

}  // namespace

TensorTable mlp_tiled_tensors(const MlpTiledConfig& c) {
  TensorTable table(kStyles, kUnused);
  add_vision_tower_tensors(table, c.tower, c.features, c.gguf_ffn_swapped);
  add_mlp_projector_tensors(table, c.projector);
  add_decoder_tensors(table, c.language);
  return table;
}

}  // namespace ocellus::models
