#include "models/parts/vision_tower.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/result.h"

namespace ocellus::models {
namespace {

// Unfolds the picture into rows of one patch each, in the order of the convolution's kernel:
// [channel][y][x]. Pixels beyond the last whole patch are not seen, as a convolution with that
// stride does not.
void unfold(const float* pixels, std::int64_t side, std::int64_t patch, compute::Matrix out) {
  const std::int64_t grid = side / patch;
  for (std::int64_t row = 0; row < grid * grid; ++row) {
    const std::int64_t top = row / grid * patch, left = row % grid * patch;
    float* to = out.row(row);
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      for (std::int64_t y = 0; y < patch; ++y) {
        const float* from = pixels + (channel * side + top + y) * side + left;
        to = std::copy(from, from + patch, to);
      }
    }
  }
}

}  // namespace

void add_vision_tower_tensors(TensorTable& table, const VitConfig& c, const VitOutput& output,
                              bool ffn_swapped) {
  using enum TensorRole;
  const std::int64_t width = c.hidden_size;
  TableSection whole(table, Part::kTower, "tower.", "v.");
  const VitNames& n = *c.names;
  whole.add(fmt::format("{}.weight", n.patches), "patch_embd.weight",
            {width, c.channels, c.patch_size, c.patch_size}, kPatches);
  if (c.class_token) whole.add(n.class_token, "class_embd", {width}, kVector);
  if (c.pre_norm) whole.norm("pre_layrnorm", "pre_ln", width, true);
  if (c.patch_bias)
    whole.add(fmt::format("{}.bias", n.patches), "patch_embd.bias", {width}, kVector);
  whole.add(n.positions, "position_embd.weight", {c.rows(), width}, kPositions);
  for (std::int64_t i = 0; i < c.layers; ++i) {
    TableSection layer(table, Part::kTower, fmt::format("tower.{}{}.", n.layer, i),
                       fmt::format("v.blk.{}.", i));
    layer.norm(n.norm1, "ln1", width, true);
    const std::pair<std::string_view, const char*> projections[] = {
        {n.q, "attn_q"}, {n.k, "attn_k"}, {n.v, "attn_v"}};
    for (std::int64_t part = 0; part < std::ssize(projections); ++part) {
      const auto& [name, gguf] = projections[part];
      if (n.qkv.empty()) {
        layer.linear(name, gguf, width, width, kLayerMatrix, c.qkv_bias);
      } else {
        layer.part_of_linear(name, gguf, width, width, kLayerMatrix, c.qkv_bias, n.qkv,
                             part * width);
      }
    }
    layer.linear(n.out, "attn_out", width, width, kLayerMatrix, true);
    if (c.layer_scale) {
      layer.add(n.scale1, "ls1.weight", {width}, kVector);
      layer.add(n.scale2, "ls2.weight", {width}, kVector);
    }
    layer.norm(n.norm2, "ln2", width, true);
    layer.linear("mlp.fc1", ffn_swapped ? "ffn_down" : "ffn_up", c.intermediate_size, width,
                 kLayerMatrix, true);
    layer.linear("mlp.fc2", ffn_swapped ? "ffn_up" : "ffn_down", width, c.intermediate_size,
                 kLayerMatrix, true);
  }
  // After the last layer: read where an output is taken after it.
  whole.norm("post_layernorm", "post_ln", width, true, !output.after_norm);
}

bool gguf_swaps_ffn(const GgufSource& source, const VitConfig& c) {
  const auto up = source.tensors.find("v.blk.0.ffn_up.weight");
  return up != source.tensors.end() && c.hidden_size != c.intermediate_size &&
         up->second.shape == tensor::Shape{c.hidden_size, c.intermediate_size};
}

Result<VisionTower> VisionTower::load(const VitConfig& config, const VitOutput& output,
                                      const WeightLoader& loader) {
  const VitNames& n = *config.names;
  VisionTower tower;
  tower.config_ = config;
  tower.backend_ = &loader.backend();
  tower.arithmetic_ = loader.arithmetic();
  tower.drop_first_ = output.drop_first_row;
  for (const std::int64_t layer : output.layers)
    tower.selected_.push_back(layer >= 0 ? layer : config.layers + 1 + layer);
  OCELLUS_ASSIGN_OR_RETURN(tower.patch_, loader.matrix(fmt::format("tower.{}.weight", n.patches)));
  OCELLUS_ASSIGN_OR_RETURN(tower.positions_, loader.vector(fmt::format("tower.{}", n.positions)));
  if (config.class_token) {
    OCELLUS_ASSIGN_OR_RETURN(tower.class_token_,
                             loader.vector(fmt::format("tower.{}", n.class_token)));
  }
  if (config.pre_norm) {
    OCELLUS_ASSIGN_OR_RETURN(tower.pre_norm_, loader.norm("tower.pre_layrnorm"));
  }
  if (config.patch_bias) {
    OCELLUS_ASSIGN_OR_RETURN(tower.patch_bias_,
                             loader.vector(fmt::format("tower.{}.bias", n.patches)));
  }
  if (output.after_norm) {
    OCELLUS_ASSIGN_OR_RETURN(tower.post_norm_, loader.norm("tower.post_layernorm"));
  }
  const std::int64_t needed = *std::ranges::max_element(tower.selected_);
  for (std::int64_t i = 0; i < needed; ++i) {
    const std::string prefix = fmt::format("tower.{}{}.", n.layer, i);
    const auto name = [&](std::string_view of) { return fmt::format("{}{}", prefix, of); };
    Layer layer;
    OCELLUS_ASSIGN_OR_RETURN(layer.norm1, loader.norm(name(n.norm1)));
    OCELLUS_ASSIGN_OR_RETURN(layer.norm2, loader.norm(name(n.norm2)));
    OCELLUS_ASSIGN_OR_RETURN(layer.q, loader.linear(name(n.q)));
    OCELLUS_ASSIGN_OR_RETURN(layer.k, loader.linear(name(n.k)));
    OCELLUS_ASSIGN_OR_RETURN(layer.v, loader.linear(name(n.v)));
    OCELLUS_ASSIGN_OR_RETURN(layer.out, loader.linear(name(n.out)));
    OCELLUS_ASSIGN_OR_RETURN(layer.fc1, loader.linear(name("mlp.fc1")));
    OCELLUS_ASSIGN_OR_RETURN(layer.fc2, loader.linear(name("mlp.fc2")));
    if (config.layer_scale) {
      OCELLUS_ASSIGN_OR_RETURN(layer.scale1, loader.vector(name(n.scale1)));
      OCELLUS_ASSIGN_OR_RETURN(layer.scale2, loader.vector(name(n.scale2)));
    }
    tower.layers_.push_back(std::move(layer));
  }
  return tower;
}

std::int64_t VisionTower::feature_rows() const { return config_.rows() - (drop_first_ ? 1 : 0); }

std::int64_t VisionTower::feature_width() const {
  return config_.hidden_size * static_cast<std::int64_t>(selected_.size());
}

VisionTower::Run VisionTower::make_run() const {
  Run run;
  run.workspace = backend_->make_workspace();
  return run;
}

Status VisionTower::embed(const float* pixels, Run& run) const {
  OCELLUS_ASSIGN_OR_RETURN(run.x, run.hidden.shape(config_.rows(), config_.hidden_size));
  const compute::Matrix x = run.x;
  const std::int64_t first = config_.class_token ? 1 : 0;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix patches,
                           run.patches.shape(config_.patches(), patch_->in()));
  unfold(pixels, config_.image_size, config_.patch_size, patches);
  const compute::ConstMatrix positions(positions_.data(), x.rows, x.cols, x.cols);
  const compute::Epilogue epilogue{patch_bias_.empty() ? nullptr : patch_bias_.data(),
                                   compute::Activation::kNone,
                                   positions.slice_rows(first, config_.patches())};
  OCELLUS_RETURN_IF_ERROR(backend_->linear(*patch_, patches, epilogue,
                                           x.slice_rows(first, config_.patches()), *run.workspace));
  if (config_.class_token) {
    std::ranges::transform(class_token_, std::span(positions.row(0), class_token_.size()), x.row(0),
                           std::plus<>());
  }
  if (!config_.pre_norm) return {};
  return backend_->layer_norm(x, pre_norm_.weight.data(), pre_norm_.bias.data(),
                              static_cast<float>(config_.layer_norm_eps), x);
}

Status VisionTower::run_layer(const Layer& layer, Run& run) const {
  const compute::Matrix x = run.x;
  const auto eps = static_cast<float>(config_.layer_norm_eps);
  const std::int64_t head_dim = config_.hidden_size / config_.heads;
  const compute::AttentionShape shape{
      config_.heads, config_.heads, head_dim, 1.0f / std::sqrt(static_cast<float>(head_dim)), 0,
      arithmetic_};
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix normed, run.narrow.shape(x.rows, x.cols));
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix wide,
                           run.wide.shape(x.rows, std::max(3 * x.cols, config_.intermediate_size)));
  const compute::Matrix attended = normed, inner = wide.slice_cols(0, config_.intermediate_size),
                        q = wide.slice_cols(0, x.cols), k = wide.slice_cols(x.cols, x.cols),
                        v = wide.slice_cols(2 * x.cols, x.cols);
  OCELLUS_RETURN_IF_ERROR(
      backend_->layer_norm(x, layer.norm1.weight.data(), layer.norm1.bias.data(), eps, normed));
  const compute::LinearCall projections[] = {layer.q.call(q), layer.k.call(k), layer.v.call(v)};
  OCELLUS_RETURN_IF_ERROR(backend_->linear(normed, 0, projections, *run.workspace));
  OCELLUS_RETURN_IF_ERROR(backend_->attention(shape, q, k, v, attended, *run.workspace));
  OCELLUS_RETURN_IF_ERROR(add_to(x, layer.out, attended, layer.scale1, run));
  OCELLUS_RETURN_IF_ERROR(
      backend_->layer_norm(x, layer.norm2.weight.data(), layer.norm2.bias.data(), eps, normed));
  OCELLUS_RETURN_IF_ERROR(backend_->linear(
      *layer.fc1.weight, normed, layer.fc1.epilogue(config_.activation), inner, *run.workspace));
  return add_to(x, layer.fc2, inner, layer.scale2, run);
}

Status VisionTower::add_to(compute::Matrix x, const Linear& linear, compute::ConstMatrix input,
                           const std::vector<float>& scale, Run& run) const {
  if (scale.empty()) {
    return backend_->linear(*linear.weight, input, linear.epilogue(compute::Activation::kNone, x),
                            x, *run.workspace);
  }
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix added, run.added.shape(x.rows, x.cols));
  OCELLUS_RETURN_IF_ERROR(
      backend_->linear(*linear.weight, input, linear.epilogue(), added, *run.workspace));
  for (std::int64_t row = 0; row < x.rows; ++row) {
    float* const to = x.row(row);
    const float* const from = added.row(row);
    for (std::int64_t i = 0; i < x.cols; ++i) to[i] += scale[static_cast<std::size_t>(i)] * from[i];
  }
  return {};
}

Status VisionTower::select(std::int64_t hidden_state, compute::ConstMatrix x,
                           compute::Matrix features) const {
  const std::int64_t first = drop_first_ ? 1 : 0;
  for (std::size_t place = 0; place < selected_.size(); ++place) {
    if (selected_[place] != hidden_state) continue;
    const compute::Matrix out =
        features.slice_cols(static_cast<std::int64_t>(place) * x.cols, x.cols);
    for (std::int64_t row = 0; row < out.rows; ++row) {
      std::copy_n(x.row(row + first), x.cols, out.row(row));
    }
    if (post_norm_.weight.empty() || hidden_state != config_.layers) continue;
    OCELLUS_RETURN_IF_ERROR(backend_->layer_norm(out, post_norm_.weight.data(),
                                                 post_norm_.bias.data(),
                                                 static_cast<float>(config_.layer_norm_eps), out));
  }
  return {};
}

Status VisionTower::advance(const float* pixels, Run& run, compute::Matrix features) const {
  if (done(run)) return {};
  if (run.steps == 0) {
    OCELLUS_RETURN_IF_ERROR(embed(pixels, run));
  } else {
    OCELLUS_RETURN_IF_ERROR(run_layer(layers_[static_cast<std::size_t>(run.steps - 1)], run));
  }
  return select(run.steps++, run.x, features);
}

}  // namespace ocellus::models
