// A vision transformer that takes a picture of any shape as a grid of patches: positions by
// rotation, in Qwen3-VL also by a table that is stretched to the grid; squares of neighbouring
// patches become one row of the language model.
// Reference: transformers, models/{qwen2_vl,qwen2_5_vl,qwen3_vl}/modeling_*.py, vision_utils.py;
// papers arXiv:2409.12191, 2502.13923.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compute/backend.h"
#include "models/parts/matrix_buffer.h"
#include "models/parts/weight_loader.h"
#include "models/prepared_image.h"
#include "models/tensor_table.h"

namespace ocellus::models {

// What checkpoints call the tensors of a tower, where they differ.
struct GridTowerNames {
  std::string_view gate = {}, up, down;  // of a layer; no gate: activation between up and down
  std::string_view merger_norm, merger_first, merger_second;
};

struct GridTowerConfig {
  std::string name;  // for people: "qwen2.5-vl"
  std::int64_t patch = 0, frames = 2, merge = 2;
  std::int64_t hidden_size = 0, intermediate_size = 0, layers = 0, heads = 0;
  std::int64_t out = 0;  // values of a row of the language model
  compute::Activation activation = compute::Activation::kNone;
  bool rms_norm = false, patch_bias = false;
  std::int64_t table_side = 0;            // of the table of positions; 0: none
  std::int64_t window = 0;                // rows of the language model a side that see each other
  std::vector<std::int64_t> full_layers;  // that see everything, where there is a window
  std::vector<std::int64_t> deep_layers;  // whose output goes to inner layers of the language model
  const GridTowerNames* names = nullptr;
  bool gguf_qkv_apart = false;    // GGUF files have queries, keys and values apart
  bool gguf_ffn_swapped = false;  // an older GGUF file has fc1 as "ffn_down"

  std::int64_t patch_values() const { return 3 * frames * patch * patch; }
  std::int64_t head_dim() const { return hidden_size / heads; }
};

// Its tensors: "tower.patch_embed. ...", "tower.blocks.0. ...", "tower.merger. ...".
void add_grid_tower_tensors(TensorTable& table, const GridTowerConfig& config);

// Immutable after loading; any thread, each with its own run.
class GridTower {
 public:
  struct Grid {
    std::int64_t height = 0, width = 0;  // patches
  };

  // One picture on its way, and the buffers for it.
  struct Run {
    Grid grid;
    std::int64_t steps = 0;  // done: the embedding, every layer, the last merger
    compute::Matrix x;       // [patches, hidden_size]
    MatrixBuffer hidden, narrow, wide, cos_buffer, sin_buffer, merged, merged_inner, ordered;
    compute::Matrix cos, sin;               // [patches, head_dim / 2]
    std::vector<std::int64_t> order;        // of merged rows: which stands at each place
    std::vector<std::int64_t> window_ends;  // in merged rows
    std::unique_ptr<compute::Workspace> workspace;
  };

  // Of a table with add_grid_tower_tensors(). kBadModel, kUnsupported, kOutOfMemory, kCancelled.
  static Result<GridTower> load(const GridTowerConfig& config, const WeightLoader& loader);

  const GridTowerConfig& config() const { return config_; }
  Run make_run() const;
  bool done(const Run& run) const { return run.steps > config_.layers + 1; }
  // The next step of a run, which begins with `steps` 0 and a grid. patches [grid, patch_values],
  // in squares of merge x merge, only read by the first; embeddings: those of the picture, of the
  // right size, complete once done. kOutOfMemory.
  Status advance(tensor::ConstMatrix patches, Run& run, ImageEmbeddings& embeddings) const;

 private:
  struct Layer {
    Norm norm1, norm2;
    std::vector<Linear> qkv;  // one matrix, or three
    Linear out, gate, up, down;
  };
  // A norm, squares of rows put side by side, two linear layers.
  struct Merger {
    Norm norm;
    Linear first, second;
    bool norm_after = false;  // of the squares
  };

  static Result<Merger> load_merger(const WeightLoader& loader, const GridTowerNames& names,
                                    const std::string& prefix);
  Status embed(tensor::ConstMatrix patches, Run& run) const;
  void add_table(Run& run) const;
  Status run_layer(std::int64_t index, Run& run) const;
  Status attend(std::int64_t index, compute::Matrix qkv, Run& run, compute::Matrix out) const;
  Status norm(tensor::ConstMatrix x, const Norm& norm, compute::Matrix y) const;
  Status merge(const Merger& merger, Run& run, std::vector<float>& rows) const;

  const compute::Backend* backend_ = nullptr;
  GridTowerConfig config_;
  compute::Arithmetic arithmetic_ = compute::Arithmetic::kF32;
  Linear patch_;
  std::vector<float> table_;  // [table_side^2, hidden_size]
  std::vector<Layer> layers_;
  Merger merger_;
  std::vector<Merger> deep_;
};

}  // namespace ocellus::models
