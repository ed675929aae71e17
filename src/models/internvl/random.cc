#include "models/internvl/random.h"

#include <fmt/format.h>

namespace ocellus::models {
namespace {

// Sources: config.json of OpenGVLab/InternVL3-2B-hf and InternVL3_5-2B-HF.
constexpr std::int64_t kLayers = 28, kLayers35 = 28;

std::string config(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "internvl", "vision_config": {{"attention_bias": true}},
 "text_config": {{"model_type": "qwen2", "hidden_size": 1536, "intermediate_size": 8960,
 "num_hidden_layers": {}, "num_attention_heads": 12, "num_key_value_heads": 2,
 "vocab_size": 151674, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
 "rope_theta": 1000000.0}}}})",
      layers > 0 ? layers : kLayers);
}

std::string config_35(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "internvl", "vision_config": {{"attention_bias": true}},
 "text_config": {{"model_type": "qwen3", "hidden_size": 2048, "intermediate_size": 6144,
 "num_hidden_layers": {}, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
 "vocab_size": 151936, "max_position_embeddings": 40960, "rms_norm_eps": 1e-6,
 "rope_theta": 1000000.0}}}})",
      layers > 0 ? layers : kLayers35);
}

constexpr RandomModel kModels[] = {{"internvl3-2b", kLayers, config},
                                   {"internvl3.5-2b", kLayers35, config_35}};

}  // namespace

std::span<const RandomModel> internvl_random_models() { return kModels; }

}  // namespace ocellus::models
