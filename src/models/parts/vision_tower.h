// The image encoder: a picture's pixels to the features that the projector takes.
// Reference: transformers, models/clip/modeling_clip.py and models/siglip/modeling_siglip.py;
// papers arXiv:2103.00020, 2303.15343.
#pragma once

#include <memory>
#include <vector>

#include "compute/backend.h"
#include "models/parts/vit_config.h"
#include "models/parts/weight_loader.h"
#include "models/tensor_table.h"

namespace ocellus::models {

// What a tower gives to the projector.
struct VitOutput {
  // Hidden states side by side: 0 is the embeddings, negative ones count from the end.
  std::vector<std::int64_t> layers = {-2};
  bool drop_first_row = true;  // the class token's, or whatever is there
  bool after_norm = false;     // the last hidden state goes through the tower's last norm
};

// Its tensors: "tower.embeddings. ...", "tower.encoder.layers.0. ...", by GGUF's names too.
// `ffn_swapped`: the GGUF file is one of older converters, which wrote a layer's two matrices under
// each other's name.
void add_vision_tower_tensors(TensorTable& table, const VitConfig& config, const VitOutput& output,
                              bool ffn_swapped);
// Whether a GGUF tower is one of those: the shapes tell.
bool gguf_swaps_ffn(const GgufSource& source, const VitConfig& config);

// Immutable after loading; any thread, each with its own run.
class VisionTower {
 public:
  // One picture on its way through the layers, and the buffers for it. What is not alive at the
  // same time shares a buffer, so that more of it stays in the cache: a layer's norms and what it
  // attended to; its q, k and v and its inner rows.
  struct Run {
    MatrixBuffer patches, hidden, narrow, wide, added;
    compute::Matrix x;       // [rows, hidden_size]: the hidden state so far
    std::int64_t steps = 0;  // done: the embedding is the first, then every layer
    std::unique_ptr<compute::Workspace> workspace;
  };

  // Of a table with add_vision_tower_tensors(); loads only the layers that the output needs.
  // kBadModel, kUnsupported, kOutOfMemory, kCancelled.
  static Result<VisionTower> load(const VitConfig& config, const VitOutput& output,
                                  const WeightLoader& loader);

  // What one picture gives: patches, plus the class token where it is kept.
  std::int64_t feature_rows() const;
  // Hidden size times the number of selected layers.
  std::int64_t feature_width() const;

  Run make_run() const;
  bool done(const Run& run) const { return run.steps > std::ssize(layers_); }
  // The next step of a run, which begins with `steps` 0: pixels [3, image_size, image_size], only
  // read by the first; features [feature_rows, feature_width], complete once done. kOutOfMemory.
  Status advance(const float* pixels, Run& run, compute::Matrix features) const;

 private:
  struct Layer {
    Norm norm1, norm2;
    Linear q, k, v, out, fc1, fc2;
    std::vector<float> scale1, scale2;  // of what attention and MLP add; empty: 1
  };

  Status embed(const float* pixels, Run& run) const;
  Status run_layer(const Layer& layer, Run& run) const;
  // x += scale * linear(input)
  Status add_to(compute::Matrix x, const Linear& linear, compute::ConstMatrix input,
                const std::vector<float>& scale, Run& run) const;
  Status select(std::int64_t hidden_state, compute::ConstMatrix x, compute::Matrix features) const;

  const compute::Backend* backend_ = nullptr;
  VitConfig config_;
  compute::Arithmetic arithmetic_ = compute::Arithmetic::kF32;
  std::vector<std::int64_t>
      selected_;             // hidden states, 0: the embeddings, in the order of their features
  bool drop_first_ = false;  // of the rows
  std::unique_ptr<compute::Weight> patch_;
  std::vector<float> patch_bias_, class_token_, positions_;
  Norm pre_norm_, post_norm_;  // empty where there is none, or it is not used
  std::vector<Layer> layers_;
};

}  // namespace ocellus::models
