#include "models/qwen_vl/random.h"

#include <fmt/format.h>

namespace ocellus::models {
namespace {

// Sources: config.json of Qwen/Qwen2.5-VL-3B-Instruct, Qwen/Qwen3-VL-2B-Instruct and 4B, and
// Qwen/Qwen3.5-0.8B, 2B and 4B.
constexpr std::int64_t kLayers25 = 36, kLayers3 = 28, kLayers3Large = 36, kLayers35 = 24,
                       kLayers35Large = 32;

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

std::string config_3_large(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "qwen3_vl", "tie_word_embeddings": true, "text_config": {{
 "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": {},
 "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
 "max_position_embeddings": 262144, "rms_norm_eps": 1e-6, "rope_theta": 5000000,
 "rope_scaling": {{"rope_type": "default", "mrope_section": [24, 20, 20]}}}},
 "vision_config": {{"depth": 24, "hidden_size": 1024, "intermediate_size": 4096,
 "out_hidden_size": 2560, "deepstack_visual_indexes": [5, 11, 17]}}}})",
      layers > 0 ? layers : kLayers3Large);
}

std::string config_35_small(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "qwen3_5", "tie_word_embeddings": true, "text_config": {{
 "hidden_size": 1024, "intermediate_size": 3584, "num_hidden_layers": {},
 "num_attention_heads": 8, "num_key_value_heads": 2, "linear_num_key_heads": 16,
 "linear_num_value_heads": 16, "max_position_embeddings": 262144,
 "rope_parameters": {{"rope_theta": 10000000}}}},
 "vision_config": {{"depth": 12, "hidden_size": 768, "intermediate_size": 3072, "num_heads": 12,
 "out_hidden_size": 1024}}}})",
      layers > 0 ? layers : kLayers35);
}

std::string config_35(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "qwen3_5", "tie_word_embeddings": true, "text_config": {{
 "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": {},
 "num_attention_heads": 8, "num_key_value_heads": 2, "linear_num_key_heads": 16,
 "linear_num_value_heads": 16, "max_position_embeddings": 262144,
 "rope_parameters": {{"rope_theta": 10000000}}}},
 "vision_config": {{"depth": 24, "hidden_size": 1024, "intermediate_size": 4096,
 "out_hidden_size": 2048}}}})",
      layers > 0 ? layers : kLayers35);
}

std::string config_35_large(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "qwen3_5", "tie_word_embeddings": true, "text_config": {{
 "hidden_size": 2560, "intermediate_size": 9216, "num_hidden_layers": {},
 "num_attention_heads": 16, "num_key_value_heads": 4, "linear_num_key_heads": 16,
 "linear_num_value_heads": 32, "max_position_embeddings": 262144,
 "rope_parameters": {{"rope_theta": 10000000}}}},
 "vision_config": {{"depth": 24, "hidden_size": 1024, "intermediate_size": 4096,
 "out_hidden_size": 2560}}}})",
      layers > 0 ? layers : kLayers35Large);
}

constexpr RandomModel kModels[] = {{"qwen2.5-vl-3b", kLayers25, config_25},
                                   {"qwen3-vl-2b", kLayers3, config_3},
                                   {"qwen3-vl-4b", kLayers3Large, config_3_large},
                                   {"qwen3.5-0.8b", kLayers35, config_35_small},
                                   {"qwen3.5-2b", kLayers35, config_35},
                                   {"qwen3.5-4b", kLayers35Large, config_35_large}};

}  // namespace

std::span<const RandomModel> qwen_vl_random_models() { return kModels; }

}  // namespace ocellus::models
