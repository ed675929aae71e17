#include "models/qwen_vl/random.h"

#include <fmt/format.h>

namespace ocellus::models {
namespace {

// Sources: config.json of Qwen/Qwen2.5-VL-3B-Instruct and Qwen/Qwen3-VL-2B-Instruct.
constexpr std::int64_t kLayers25 = 36, kLayers3 = 28;

std::string config_25(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "qwen2_5_vl", "hidden_size": 2048, "intermediate_size": 11008,
 "num_hidden_layers": {}, "num_attention_heads": 16, "num_key_value_heads": 2,
 "vocab_size": 151936, "max_position_embeddings": 128000, "rms_norm_eps": 1e-6,
 "rope_theta": 1000000.0, "tie_word_embeddings": true,
 "rope_scaling": {{"type": "mrope", "mrope_section": [16, 24, 24]}},
 "vision_config": {{"hidden_size": 1280, "out_hidden_size": 2048}}}})",
      layers > 0 ? layers : kLayers25);
}

std::string config_3(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "qwen3_vl", "tie_word_embeddings": true, "text_config": {{
 "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": {},
 "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
 "max_position_embeddings": 262144, "rms_norm_eps": 1e-6, "rope_theta": 5000000,
 "rope_scaling": {{"rope_type": "default", "mrope_section": [24, 20, 20]}}}},
 "vision_config": {{"depth": 24, "hidden_size": 1024, "intermediate_size": 4096,
 "out_hidden_size": 2048, "deepstack_visual_indexes": [5, 11, 17]}}}})",
      layers > 0 ? layers : kLayers3);
}

constexpr RandomModel kModels[] = {{"qwen2.5-vl-3b", kLayers25, config_25},
                                   {"qwen3-vl-2b", kLayers3, config_3}};

}  // namespace

std::span<const RandomModel> qwen_vl_random_models() { return kModels; }

}  // namespace ocellus::models
