#include "models/llava_onevision/random.h"

#include <fmt/format.h>

namespace ocellus::models {
namespace {

// Source: config.json of llava-hf/llava-onevision-qwen2-0.5b-ov-hf.
constexpr std::int64_t kLayers = 24;

std::string config(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "llava_onevision", "vision_config": {{"model_type": "siglip_vision_model",
 "image_size": 384, "patch_size": 14, "hidden_size": 1152, "intermediate_size": 4304,
 "num_hidden_layers": 26, "num_attention_heads": 16}},
 "text_config": {{"model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
 "num_hidden_layers": {}, "num_attention_heads": 14, "num_key_value_heads": 2,
 "vocab_size": 152000, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
 "rope_theta": 1000000.0, "tie_word_embeddings": true}}}})",
      layers > 0 ? layers : kLayers);
}

constexpr RandomModel kModels[] = {{"onevision-0.5b", kLayers, config}};

}  // namespace

std::span<const RandomModel> llava_onevision_random_models() { return kModels; }

}  // namespace ocellus::models
