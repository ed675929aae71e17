#include "models/idefics3/random.h"

#include <fmt/format.h>

namespace ocellus::models {
namespace {

struct Sizes {
  std::int64_t hidden, inner, layers, heads, kv_heads, head_dim;
  std::int64_t tower_hidden, tower_inner, tower_layers, tower_heads, image, patch, shuffle,
      image_id;
};

// Sources: config.json of HuggingFaceTB/SmolVLM-256M-Instruct, SmolVLM-500M-Instruct and
// SmolVLM2-2.2B-Instruct.
constexpr Sizes k256m = {576, 1536, 30, 9, 3, 64, 768, 3072, 12, 12, 512, 16, 4, 49190},
                k500m = {960, 2560, 32, 15, 5, 64, 768, 3072, 12, 12, 512, 16, 4, 49190},
                k2b = {2048, 8192, 24, 32, 32, 64, 1152, 4304, 27, 16, 384, 14, 3, 49153};

template <const Sizes& kSizes>
std::string config(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "smolvlm", "scale_factor": {}, "image_token_id": {},
 "vision_config": {{"model_type": "smolvlm_vision", "image_size": {}, "patch_size": {},
 "hidden_size": {}, "intermediate_size": {}, "num_hidden_layers": {}, "num_attention_heads": {}}},
 "text_config": {{"model_type": "llama", "hidden_size": {}, "intermediate_size": {},
 "num_hidden_layers": {}, "num_attention_heads": {}, "num_key_value_heads": {}, "head_dim": {},
 "vocab_size": 49280, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
 "rope_theta": 100000}}}})",
      kSizes.shuffle, kSizes.image_id, kSizes.image, kSizes.patch, kSizes.tower_hidden,
      kSizes.tower_inner, kSizes.tower_layers, kSizes.tower_heads, kSizes.hidden, kSizes.inner,
      layers > 0 ? layers : kSizes.layers, kSizes.heads, kSizes.kv_heads, kSizes.head_dim);
}

constexpr RandomModel kModels[] = {
    {"smolvlm-256m", k256m.layers, config<k256m>},
    {"smolvlm-500m", k500m.layers, config<k500m>},
    {"smolvlm2-2.2b", k2b.layers, config<k2b>},
};

}  // namespace

std::span<const RandomModel> idefics3_random_models() { return kModels; }

}  // namespace ocellus::models
