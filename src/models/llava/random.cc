#include "models/llava/random.h"

#include <fmt/format.h>

namespace ocellus::models {
namespace {

struct Sizes {
  std::int64_t hidden, inner, layers, heads, kv_heads, vocabulary, positions;
};

// Sources: the config.json of llava-hf/llava-1.5-7b-hf and -13b-hf, and of
// TinyLlama/TinyLlama-1.1B-Chat-v1.0 after the same tower.
constexpr Sizes k7b = {4096, 11008, 32, 32, 32, 32064, 4096},
                k13b = {5120, 13824, 40, 40, 40, 32064, 4096},
                kTiny = {2048, 5632, 22, 32, 4, 32000, 2048};

template <const Sizes& kSizes>
std::string config(std::int64_t layers) {
  return fmt::format(
      R"({{"model_type": "llava", "vision_config": {{"model_type": "clip_vision_model",
 "image_size": 336, "patch_size": 14, "hidden_size": 1024, "intermediate_size": 4096,
 "num_hidden_layers": 24, "num_attention_heads": 16}},
 "text_config": {{"model_type": "llama", "hidden_size": {}, "intermediate_size": {},
 "num_hidden_layers": {}, "num_attention_heads": {}, "num_key_value_heads": {},
 "vocab_size": {}, "max_position_embeddings": {}, "rms_norm_eps": 1e-5}}}})",
      kSizes.hidden, kSizes.inner, layers > 0 ? layers : kSizes.layers, kSizes.heads,
      kSizes.kv_heads, kSizes.vocabulary, kSizes.positions);
}

constexpr RandomModel kModels[] = {
    {"llava-1.5-7b", k7b.layers, config<k7b>},
    {"llava-1.5-13b", k13b.layers, config<k13b>},
    {"tinyllama-1.1b", kTiny.layers, config<kTiny>},
};

}  // namespace

std::span<const RandomModel> llava_random_models() { return kModels; }

}  // namespace ocellus::models
