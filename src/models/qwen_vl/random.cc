#include "models/qwen_vl/random.h"

#include <fmt/format.h>

#include <string_view>

namespace ocellus::models {
namespace {

// Sources: config.json of Qwen/Qwen2.5-VL-3B-Instruct, Qwen/Qwen3-VL-2B-Instruct and 4B, and
// Qwen/Qwen3.5-0.8B, 2B and 4B.
constexpr std::int64_t kLayers25 = 36;

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

// What differs between the sizes of one family.
struct Sizes {
  std::int64_t layers, hidden, intermediate, heads, kv_heads, value_heads;
};
constexpr std::string_view
    kTower = R"("depth": 24, "hidden_size": 1024, "intermediate_size": 4096)",
    kSmallTower = R"("depth": 12, "hidden_size": 768, "intermediate_size": 3072, "num_heads": 12)";

std::string config_3(const Sizes& s, std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "qwen3_vl", "tie_word_embeddings": true, "text_config": {{
 "hidden_size": {0}, "intermediate_size": {1}, "num_hidden_layers": {2},
 "num_attention_heads": {3}, "num_key_value_heads": {4}, "head_dim": 128, "vocab_size": 151936,
 "max_position_embeddings": 262144, "rms_norm_eps": 1e-6, "rope_theta": 5000000,
 "rope_scaling": {{"rope_type": "default", "mrope_section": [24, 20, 20]}}}},
 "vision_config": {{{5}, "out_hidden_size": {0}, "deepstack_visual_indexes": [5, 11, 17]}}}})",
      s.hidden, s.intermediate, layers > 0 ? layers : s.layers, s.heads, s.kv_heads, kTower);
}

std::string config_35(const Sizes& s, std::string_view tower, std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "qwen3_5", "tie_word_embeddings": true, "text_config": {{
 "hidden_size": {0}, "intermediate_size": {1}, "num_hidden_layers": {2},
 "num_attention_heads": {3}, "num_key_value_heads": {4}, "linear_num_key_heads": 16,
 "linear_num_value_heads": {5}, "max_position_embeddings": 262144,
 "rope_parameters": {{"rope_theta": 10000000}}}},
 "vision_config": {{{6}, "out_hidden_size": {0}}}}})",
      s.hidden, s.intermediate, layers > 0 ? layers : s.layers, s.heads, s.kv_heads, s.value_heads,
      tower);
}

constexpr Sizes k3Of2B = {28, 2048, 6144, 16, 8, 0}, k3Of4B = {36, 2560, 9728, 32, 8, 0},
                k35Of08B = {24, 1024, 3584, 8, 2, 16}, k35Of2B = {24, 2048, 6144, 8, 2, 16},
                k35Of4B = {32, 2560, 9216, 16, 4, 32};

constexpr RandomModel kModels[] = {
    {"qwen2.5-vl-3b", kLayers25, config_25},
    {"qwen3-vl-2b", k3Of2B.layers, [](std::int64_t n) { return config_3(k3Of2B, n); }},
    {"qwen3-vl-4b", k3Of4B.layers, [](std::int64_t n) { return config_3(k3Of4B, n); }},
    {"qwen3.5-0.8b", k35Of08B.layers,
     [](std::int64_t n) { return config_35(k35Of08B, kSmallTower, n); }},
    {"qwen3.5-2b", k35Of2B.layers, [](std::int64_t n) { return config_35(k35Of2B, kTower, n); }},
    {"qwen3.5-4b", k35Of4B.layers, [](std::int64_t n) { return config_35(k35Of4B, kTower, n); }}};

}  // namespace

std::span<const RandomModel> qwen_vl_random_models() { return kModels; }

}  // namespace ocellus::models
