// What a checkpoint says about itself, whatever file said it. Filled by parse_hf_config (and the
// GGUF reader), used by models.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/activation.h"
#include "tensor/dtype.h"

namespace ocellus::formats {

using tensor::Activation;

enum class TowerKind { kClip, kSiglip };
enum class LanguageKind { kLlama, kMistral, kQwen2 };
enum class FeatureSelect { kDefault /* drop the class token */, kFull };

struct TowerConfig {
  TowerKind kind = TowerKind::kClip;
  std::int64_t image_size = 0;  // pixels; the square that the tower takes
  std::int64_t patch_size = 0;
  std::int64_t channels = 3;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  double layer_norm_eps = 0;
  Activation activation = Activation::kNone;

  std::int64_t patches() const { return (image_size / patch_size) * (image_size / patch_size); }
  bool has_class_token() const { return kind == TowerKind::kClip; }
};

// Rotary embedding settings, by the names of transformers' rope_parameters.
struct RopeConfig {
  enum class Scaling { kNone, kLinear, kLlama3, kDynamic, kYarn };
  double theta = 10000.0;
  Scaling scaling = Scaling::kNone;
  double factor = 1.0;
  double low_freq_factor = 1.0;   // llama3
  double high_freq_factor = 4.0;  // llama3
  std::int64_t original_max_position = 0;
  double partial_rotary_factor = 1.0;
  std::vector<float> divisors;  // of each frequency, where the file has them; else none
};

struct LanguageConfig {
  LanguageKind kind = LanguageKind::kLlama;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocab_size = 0;
  std::int64_t max_position = 0;
  double rms_norm_eps = 0;
  Activation activation = Activation::kSilu;
  RopeConfig rope;
  std::int64_t sliding_window = 0;  // 0: none
  bool tie_word_embeddings = false;
  bool attention_qkv_bias = false;
  bool attention_output_bias = false;
  bool mlp_bias = false;
  std::int64_t bos_token = -1;  // -1: none given
  std::vector<std::int64_t> eos_tokens;
};

struct ProjectorConfig {
  Activation activation = Activation::kGelu;
  bool bias = true;
  std::vector<std::int64_t> feature_layers = {
      -2};  // negative counts from the end, 0: the embeddings
  FeatureSelect select = FeatureSelect::kDefault;
};

struct ModelConfig {
  std::string model_type;  // "llava"
  TowerConfig tower;
  ProjectorConfig projector;
  LanguageConfig language;
  std::int64_t image_token = 32000;
  std::int64_t pad_token = -1;
  tensor::DType stored_dtype = tensor::DType::kF32;  // what the config says; the tensors decide
};

// The picture part of preprocessor_config.json / processor_config.json, with CLIPImageProcessor's
// defaults.
struct ImageProcessorConfig {
  std::string type = "CLIPImageProcessor";
  bool do_resize = true;
  std::int64_t resize_shortest_edge = 336;  // 0 when an exact size is given instead
  std::int64_t resize_longest_edge = 0;     // 0: no cap on the longer side
  std::int64_t resize_height = 0;
  std::int64_t resize_width = 0;
  int resample =
      3;  // Pillow's numbers: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic, 4 box, 5 Hamming
  bool do_center_crop = true;
  std::int64_t crop_height = 336;
  std::int64_t crop_width = 336;
  bool do_rescale = true;
  double rescale_factor = 1.0 / 255.0;
  bool do_normalize = true;
  bool do_pad = false;  // pad to a square with the mean colour first (LlavaImageProcessor)
  double mean[3] = {0.48145466, 0.4578275, 0.40821073};
  double std[3] = {0.26862954, 0.26130258, 0.27577711};
};

struct GenerationConfig {
  bool has_temperature = false;
  double temperature = 1.0;
  bool do_sample = false;
  double top_p = 1.0;
  std::int64_t top_k = 0;  // 0: off
  double repetition_penalty = 1.0;
  std::int64_t max_new_tokens = 0;       // 0: not given
  std::vector<std::int64_t> eos_tokens;  // empty: not given
};

}  // namespace ocellus::formats
