#include "models/parts/grid_tower.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/result.h"
#include "models/parts/grid_order.h"
#include "models/parts/rope.h"

namespace ocellus::models {
namespace {

constexpr float kEps = 1e-6f;
constexpr double kTheta = 10000;  // of the rotation, in every such tower

// Places and weights of a table's two entries between which a place of a longer or shorter side
// lies; ends lie on ends.
struct Place {
  std::int64_t first, second;
  float weight;  // of the second
};
Place place(std::int64_t index, std::int64_t size, std::int64_t side) {
  const float at = static_cast<float>(index) * static_cast<float>(side - 1) /
                   static_cast<float>(std::max<std::int64_t>(size - 1, 1));
  const auto first = static_cast<std::int64_t>(std::floor(at));
  return {std::min(first, side - 1), std::min(first + 1, side - 1), at - static_cast<float>(first)};
}

constexpr std::string_view kQkv[] = {"attn.qkv"}, kQkvApart[] = {"attn.q", "attn.k", "attn.v"},
                           kGgufQkvApart[] = {"attn_q", "attn_k", "attn_v"};
std::span<const std::string_view> qkv_names(const GridTowerConfig& c) {
  if (c.gguf_qkv_apart) return kQkvApart;
  return kQkv;
}

// Groups of `merge` rows, in another order.
void reorder(tensor::ConstMatrix from, std::int64_t merge, const std::vector<std::int64_t>& order,
             tensor::Matrix to) {
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::int64_t j = 0; j < merge; ++j)
      std::copy_n(from.row(order[i] * merge + j), from.cols,
                  to.row(static_cast<std::int64_t>(i) * merge + j));
  }
}

}  // namespace

void add_grid_tower_tensors(TensorTable& table, const GridTowerConfig& c) {
  using enum TensorRole;
  const std::int64_t width = c.hidden_size, square = width * c.merge * c.merge;
  const GridTowerNames& n = *c.names;
  TableSection whole(table, Part::kTower, "tower.", "v.");
  whole.frames("patch_embed.proj.weight", "patch_embd.weight",
               {width, 3, c.frames, c.patch, c.patch});
  if (c.patch_bias) whole.add("patch_embed.proj.bias", "patch_embd.bias", {width}, kVector);
  if (c.table_side > 0) {
    whole.add("pos_embed.weight", "position_embd.weight", {c.table_side * c.table_side, width},
              kPositions);
  }
  for (std::int64_t i = 0; i < c.layers; ++i) {
    TableSection layer(table, Part::kTower, fmt::format("tower.blocks.{}.", i),
                       fmt::format("v.blk.{}.", i));
    layer.norm("norm1", "ln1", width, !c.rms_norm);
    if (c.gguf_qkv_apart) {
      for (std::int64_t part = 0; part < 3; ++part) {
        layer.part_of_linear(kQkvApart[part], kGgufQkvApart[part], width, width, kLayerMatrix, true,
                             "attn.qkv", part * width);
      }
    } else {
      layer.linear("attn.qkv", "attn_qkv", 3 * width, width, kLayerMatrix, true);
    }
    layer.linear("attn.proj", "attn_out", width, width, kLayerMatrix, true);
    layer.norm("norm2", "ln2", width, !c.rms_norm);
    if (!n.gate.empty())
      layer.linear(n.gate, "ffn_gate", c.intermediate_size, width, kLayerMatrix, true);
    const char *up = "ffn_up", *down = "ffn_down";
    if (c.gguf_ffn_swapped) std::swap(up, down);
    layer.linear(n.up, up, c.intermediate_size, width, kLayerMatrix, true);
    layer.linear(n.down, down, width, c.intermediate_size, kLayerMatrix, true);
  }
  TableSection merger(table, Part::kProjector, "tower.merger.", "");
  merger.norm(n.merger_norm, "v.post_ln", width, !c.rms_norm);
  merger.linear(n.merger_first, "mm.0", square, square, kProjector, true);
  merger.linear(n.merger_second, "mm.2", c.out, square, kProjector, true);
  for (std::size_t i = 0; i < c.deep_layers.size(); ++i) {
    TableSection deep(table, Part::kProjector, fmt::format("tower.deepstack_merger_list.{}.", i),
                      fmt::format("v.deepstack.{}.", c.deep_layers[i]));
    deep.norm(n.merger_norm, "norm", square, !c.rms_norm);
    deep.linear(n.merger_first, "fc1", square, square, kProjector, true);
    deep.linear(n.merger_second, "fc2", c.out, square, kProjector, true);
  }
}

Result<GridTower::Merger> GridTower::load_merger(const WeightLoader& loader,
                                                 const GridTowerNames& names,
                                                 const std::string& prefix) {
  Merger merger;
  const auto name = [&](std::string_view of) { return fmt::format("{}{}", prefix, of); };
  OCELLUS_ASSIGN_OR_RETURN(merger.norm, loader.norm(name(names.merger_norm)));
  OCELLUS_ASSIGN_OR_RETURN(merger.first, loader.linear(name(names.merger_first)));
  OCELLUS_ASSIGN_OR_RETURN(merger.second, loader.linear(name(names.merger_second)));
  return merger;
}

Result<GridTower> GridTower::load(const GridTowerConfig& config, const WeightLoader& loader) {
  GridTower tower;
  tower.config_ = config;
  tower.backend_ = &loader.backend();
  tower.arithmetic_ = loader.arithmetic();
  const GridTowerNames& n = *config.names;
  OCELLUS_ASSIGN_OR_RETURN(tower.patch_, loader.linear("tower.patch_embed.proj"));
  if (config.table_side > 0) {
    OCELLUS_ASSIGN_OR_RETURN(tower.table_, loader.vector("tower.pos_embed.weight"));
  }
  for (std::int64_t i = 0; i < config.layers; ++i) {
    const std::string prefix = fmt::format("tower.blocks.{}.", i);
    const auto name = [&](std::string_view of) { return fmt::format("{}{}", prefix, of); };
    Layer layer;
    OCELLUS_ASSIGN_OR_RETURN(layer.norm1, loader.norm(name("norm1")));
    OCELLUS_ASSIGN_OR_RETURN(layer.norm2, loader.norm(name("norm2")));
    for (const std::string_view part : qkv_names(config)) {
      OCELLUS_ASSIGN_OR_RETURN(Linear linear, loader.linear(name(part)));
      layer.qkv.push_back(std::move(linear));
    }
    OCELLUS_ASSIGN_OR_RETURN(layer.out, loader.linear(name("attn.proj")));
    if (!n.gate.empty()) {
      OCELLUS_ASSIGN_OR_RETURN(layer.gate, loader.linear(name(n.gate)));
    }
    OCELLUS_ASSIGN_OR_RETURN(layer.up, loader.linear(name(n.up)));
    OCELLUS_ASSIGN_OR_RETURN(layer.down, loader.linear(name(n.down)));
    tower.layers_.push_back(std::move(layer));
  }
  OCELLUS_ASSIGN_OR_RETURN(tower.merger_, load_merger(loader, n, "tower.merger."));
  for (std::size_t i = 0; i < config.deep_layers.size(); ++i) {
    OCELLUS_ASSIGN_OR_RETURN(
        Merger deep, load_merger(loader, n, fmt::format("tower.deepstack_merger_list.{}.", i)));
    deep.norm_after = true;
    tower.deep_.push_back(std::move(deep));
  }
  return tower;
}

GridTower::Run GridTower::make_run() const {
  Run run;
  run.workspace = backend_->make_workspace();
  return run;
}

Status GridTower::embed(tensor::ConstMatrix patches, Run& run) const {
  const GridTowerConfig& c = config_;
  const std::int64_t square = c.merge * c.merge;
  OCELLUS_ASSIGN_OR_RETURN(run.x, run.hidden.shape(patches.rows, c.hidden_size));
  OCELLUS_RETURN_IF_ERROR(
      backend_->linear(*patch_.weight, patches, patch_.epilogue(), run.x, *run.workspace));
  if (c.table_side > 0) add_table(run);
  const std::int64_t half = c.head_dim() / 2;
  OCELLUS_ASSIGN_OR_RETURN(run.cos, run.cos_buffer.shape(patches.rows, half));
  OCELLUS_ASSIGN_OR_RETURN(run.sin, run.sin_buffer.shape(patches.rows, half));
  // The same frequencies for the row, then for the column.
  const Rope rope({.theta = kTheta, .rotated_dims = half});
  const std::vector<PatchPlace> places = patch_places(run.grid.height, run.grid.width, c.merge);
  run.order.clear();
  run.window_ends.clear();
  if (c.window > 0) {
    WindowOrder windows =
        window_order(run.grid.height / c.merge, run.grid.width / c.merge, c.window);
    run.order = std::move(windows.order);
    run.window_ends = std::move(windows.ends);
    OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix ordered,
                             run.ordered.shape(patches.rows, c.hidden_size));
    reorder(run.x, square, run.order, ordered);
    for (std::int64_t i = 0; i < ordered.rows; ++i)
      std::copy_n(ordered.row(i), ordered.cols, run.x.row(i));
  }
  for (std::int64_t i = 0; i < patches.rows; ++i) {
    const std::int64_t from =
        run.order.empty() ? i
                          : run.order[static_cast<std::size_t>(i / square)] * square + i % square;
    const PatchPlace& at = places[static_cast<std::size_t>(from)];
    rope.fill(at.row, run.cos.row(i), run.sin.row(i));
    rope.fill(at.column, run.cos.row(i) + rope.half(), run.sin.row(i) + rope.half());
  }
  return {};
}

void GridTower::add_table(Run& run) const {
  const std::int64_t side = config_.table_side, width = config_.hidden_size;
  const auto entry = [&](std::int64_t row, std::int64_t column) {
    return table_.data() + (row * side + column) * width;
  };
  std::int64_t i = 0;
  for (const PatchPlace& at : patch_places(run.grid.height, run.grid.width, config_.merge)) {
    const Place down = place(at.row, run.grid.height, side),
                across = place(at.column, run.grid.width, side);
    const float* const corners[] = {
        entry(down.first, across.first), entry(down.first, across.second),
        entry(down.second, across.first), entry(down.second, across.second)};
    const float weights[] = {(1 - down.weight) * (1 - across.weight),
                             (1 - down.weight) * across.weight, down.weight * (1 - across.weight),
                             down.weight * across.weight};
    float* const to = run.x.row(i++);
    for (std::int64_t j = 0; j < width; ++j) {
      float sum = 0;
      for (int corner = 0; corner < 4; ++corner) sum += weights[corner] * corners[corner][j];
      to[j] += sum;
    }
  }
}

Status GridTower::norm(tensor::ConstMatrix x, const Norm& norm, compute::Matrix y) const {
  if (config_.rms_norm) return backend_->rms_norm(x, norm.weight.data(), kEps, y);
  return backend_->layer_norm(x, norm.weight.data(), norm.bias.data(), kEps, y);
}

Status GridTower::attend(std::int64_t index, compute::Matrix qkv, Run& run,
                         compute::Matrix out) const {
  const GridTowerConfig& c = config_;
  const compute::AttentionShape shape{
      c.heads, c.heads,    c.head_dim(), 1.0f / std::sqrt(static_cast<float>(c.head_dim())),
      0,       arithmetic_};
  const auto part = [&](std::int64_t i) {
    return qkv.slice_cols(i * c.hidden_size, c.hidden_size);
  };
  const bool all = c.window == 0 || std::ranges::find(c.full_layers, index) != c.full_layers.end();
  if (all) return backend_->attention(shape, part(0), part(1), part(2), out, *run.workspace);
  std::int64_t first = 0;
  for (const std::int64_t end : run.window_ends) {
    const std::int64_t last = end * c.merge * c.merge, rows = last - first;
    OCELLUS_RETURN_IF_ERROR(backend_->attention(
        shape, part(0).slice_rows(first, rows), part(1).slice_rows(first, rows),
        part(2).slice_rows(first, rows), out.slice_rows(first, rows), *run.workspace));
    first = last;
  }
  return {};
}

Status GridTower::run_layer(std::int64_t index, Run& run) const {
  const GridTowerConfig& c = config_;
  const Layer& layer = layers_[static_cast<std::size_t>(index)];
  const compute::Matrix x = run.x;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix normed, run.narrow.shape(x.rows, x.cols));
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix wide,
                           run.wide.shape(x.rows, std::max(3 * x.cols, c.intermediate_size)));
  const compute::Matrix qkv = wide.slice_cols(0, 3 * x.cols),
                        inner = wide.slice_cols(0, c.intermediate_size);
  OCELLUS_RETURN_IF_ERROR(norm(x, layer.norm1, normed));
  std::vector<compute::LinearCall> projections;
  const std::int64_t part_cols = qkv.cols / std::ssize(layer.qkv);
  for (const Linear& part : layer.qkv)
    projections.push_back(
        part.call(qkv.slice_cols(std::ssize(projections) * part_cols, part_cols)));
  OCELLUS_RETURN_IF_ERROR(backend_->linear(normed, 0, projections, *run.workspace));
  for (const std::int64_t part : {0, 1}) {
    OCELLUS_RETURN_IF_ERROR(backend_->rope(qkv.slice_cols(part * x.cols, x.cols), c.heads,
                                           c.head_dim(), run.cos, run.sin));
  }
  const compute::Matrix attended = normed;
  OCELLUS_RETURN_IF_ERROR(attend(index, qkv, run, attended));
  OCELLUS_RETURN_IF_ERROR(backend_->linear(*layer.out.weight, attended,
                                           layer.out.epilogue(compute::Activation::kNone, x), x,
                                           *run.workspace));
  OCELLUS_RETURN_IF_ERROR(norm(x, layer.norm2, normed));
  compute::LinearCall up = layer.up.call(inner);
  up.epilogue.activation = c.activation;
  if (layer.gate.weight) {
    up.gate = layer.gate.weight.get();
    up.gate_bias = layer.gate.bias.empty() ? nullptr : layer.gate.bias.data();
  }
  OCELLUS_RETURN_IF_ERROR(backend_->linear(normed, 0, {&up, 1}, *run.workspace));
  return backend_->linear(*layer.down.weight, inner,
                          layer.down.epilogue(compute::Activation::kNone, x), x, *run.workspace);
}

// rows: those of the picture, in its own order.
Status GridTower::merge(const Merger& merger, Run& run, std::vector<float>& rows) const {
  const GridTowerConfig& c = config_;
  const compute::Matrix x = run.x;
  const std::int64_t square = c.merge * c.merge, merged = x.rows / square;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix normed, run.narrow.shape(x.rows, x.cols));
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix squares,
                           run.merged.shape(merged, square * x.cols));
  if (!merger.norm_after) OCELLUS_RETURN_IF_ERROR(norm(x, merger.norm, normed));
  const tensor::ConstMatrix from = merger.norm_after ? tensor::ConstMatrix(x) : normed;
  for (std::int64_t i = 0; i < x.rows; ++i)
    std::copy_n(from.row(i), x.cols, squares.row(i / square) + i % square * x.cols);
  if (merger.norm_after) OCELLUS_RETURN_IF_ERROR(norm(squares, merger.norm, squares));
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix inner,
                           run.merged_inner.shape(merged, square * x.cols));
  OCELLUS_RETURN_IF_ERROR(backend_->linear(*merger.first.weight, squares,
                                           merger.first.epilogue(compute::Activation::kGelu), inner,
                                           *run.workspace));
  if (run.order.empty()) {
    return backend_->linear(*merger.second.weight, inner, merger.second.epilogue(),
                            {rows.data(), merged, c.out, c.out}, *run.workspace);
  }
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix out, run.ordered.shape(merged, c.out));
  OCELLUS_RETURN_IF_ERROR(backend_->linear(*merger.second.weight, inner, merger.second.epilogue(),
                                           out, *run.workspace));
  for (std::int64_t i = 0; i < merged; ++i)
    std::copy_n(out.row(i), c.out, rows.data() + run.order[static_cast<std::size_t>(i)] * c.out);
  return {};
}

Status GridTower::advance(tensor::ConstMatrix patches, Run& run,
                          ImageEmbeddings& embeddings) const {
  if (done(run)) return {};
  const std::int64_t step = run.steps;
  if (step == 0) {
    OCELLUS_RETURN_IF_ERROR(embed(patches, run));
  } else if (step <= config_.layers) {
    OCELLUS_RETURN_IF_ERROR(run_layer(step - 1, run));
    const auto deep = std::ranges::find(config_.deep_layers, step - 1);
    if (deep != config_.deep_layers.end()) {
      const auto at = static_cast<std::size_t>(deep - config_.deep_layers.begin());
      OCELLUS_RETURN_IF_ERROR(merge(deep_[at], run, embeddings.inner[at]));
    }
  } else {
    OCELLUS_RETURN_IF_ERROR(merge(merger_, run, embeddings.data));
  }
  ++run.steps;
  return {};
}

}  // namespace ocellus::models
