#include "models/llava_next/random.h"

#include <fmt/format.h>

namespace ocellus::models {
namespace {

// Source: config.json of llava-hf/llava-v1.6-vicuna-7b-hf.
constexpr std::int64_t kLayers = 32;

std::string config(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "llava_next", "vision_config": {{"model_type": "clip_vision_model",
 "image_size": 336, "patch_size": 14, "hidden_size": 1024, "intermediate_size": 4096,
 "num_hidden_layers": 24, "num_attention_heads": 16}},
 "text_config": {{"model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008,
 "num_hidden_layers": {}, "num_attention_heads": 32, "num_key_value_heads": 32,
 "vocab_size": 32064, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5}}}})",
      layers > 0 ? layers : kLayers);
}

constexpr RandomModel kModels[] = {{"llava-1.6-7b", kLayers, config}};

}  // namespace

std::span<const RandomModel> llava_next_random_models() { return kModels; }

}  // namespace ocellus::models
