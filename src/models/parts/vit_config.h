// The settings of the vision transformer part, and where checkpoints have them: in a Hugging Face
// configuration (vision_config, with the defaults of transformers' configuration classes) or in the
// metadata of a GGUF tower (mmproj).
// Reference: transformers 5, models/{clip,siglip}/configuration_*.py; gguf/constants.py.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/config_reader.h"
#include "formats/gguf_writer.h"
#include "models/checkpoint.h"
#include "ocellus/error.h"
#include "tensor/activation.h"

namespace ocellus::models {

// What checkpoints call a tower's tensors, where they differ: all but the whole's last norm.
struct VitNames {
  std::string_view class_token, patches, positions;
  std::string_view layer;  // begins the names of a layer's, before its number
  std::string_view norm1, q, k, v, out, scale1, norm2, scale2;
  std::string_view qkv = {};  // holds the rows of q, k and v in some checkpoints
};

// Blocks with norms before attention and MLP, learned positions, a square of one size.
struct VitConfig {
  std::string name;             // for people: "clip"
  std::int64_t image_size = 0;  // pixels a side
  std::int64_t patch_size = 0;
  std::int64_t channels = 3;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  double layer_norm_eps = 0;
  tensor::Activation activation = tensor::Activation::kNone;
  bool class_token = false;  // a first row beside the patches'
  bool pre_norm = false;     // a norm after the embeddings
  bool patch_bias = false;
  bool qkv_bias = true;
  bool layer_scale = false;  // what attention and MLP add is multiplied by vectors
  const VitNames* names = nullptr;

  std::int64_t patches() const { return (image_size / patch_size) * (image_size / patch_size); }
  std::int64_t rows() const { return patches() + (class_token ? 1 : 0); }
};

// Of vision_config; absent, it is LLaVA-1.5's ViT-L/14 at 336. With "idefics3_vision",
// "internvl_vision" or "intern_vit_6b" (InternVL's own layout) it is that, whatever the file says.
// Errors go to the reader: kUnsupported for another model_type or activation; kBadModel.
VitConfig read_vit_config(formats::ConfigReader& r,
                          std::string_view default_type = "clip_vision_model");

// Of a GGUF tower; `type`: as above, else CLIP or SigLIP as its tensors are. kBadModel naming file
// and key.
Result<VitConfig> read_vit_gguf(const GgufSource& source, std::string_view type = {});

// Every key that read_vit_gguf() reads. kUnsupported naming `file` and what has no key.
Status put_vit_gguf(formats::GgufWriter& writer, const VitConfig& config, std::string_view file);

}  // namespace ocellus::models
