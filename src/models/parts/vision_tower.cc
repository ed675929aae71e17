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

Result<VisionTower> VisionTower::load(const formats::ModelConfig& config,
                                      const WeightLoader& loader) {
  VisionTower tower;
  const formats::TowerConfig& c = tower.config_ = config.tower;
  tower.backend_ = &loader.backend();
  tower.arithmetic_ = loader.arithmetic();
  tower.drop_first_ = config.projector.select == formats::FeatureSelect::kDefault;
  for (const std::int64_t layer : config.projector.feature_layers) {
    tower.selected_.push_back(layer >= 0 ? layer : c.layers + 1 + layer);
  }
  const std::int64_t width = c.hidden_size;
  OCELLUS_ASSIGN_OR_RETURN(tower.patch_,
                           loader.matrix("tower.embeddings.patch_embedding.weight",
                                         {width, c.channels, c.patch_size, c.patch_size}, width,
                                         c.channels * c.patch_size * c.patch_size));
  OCELLUS_ASSIGN_OR_RETURN(
      tower.positions_,
      loader.vector("tower.embeddings.position_embedding.weight", {tower.rows(), width}));
  if (c.has_class_token()) {
    OCELLUS_ASSIGN_OR_RETURN(tower.class_token_,
                             loader.vector("tower.embeddings.class_embedding", {width}));
    OCELLUS_ASSIGN_OR_RETURN(tower.pre_norm_, loader.norm("tower.pre_layrnorm", width, true));
  } else {
    OCELLUS_ASSIGN_OR_RETURN(tower.patch_bias_,
                             loader.vector("tower.embeddings.patch_embedding.bias", {width}));
  }
  const std::int64_t needed = *std::ranges::max_element(tower.selected_);
  for (std::int64_t i = 0; i < needed; ++i) {
    const std::string name = fmt::format("tower.encoder.layers.{}.", i);
    Layer layer;
    OCELLUS_ASSIGN_OR_RETURN(layer.norm1, loader.norm(name + "layer_norm1", width, true));
    OCELLUS_ASSIGN_OR_RETURN(layer.norm2, loader.norm(name + "layer_norm2", width, true));
    OCELLUS_ASSIGN_OR_RETURN(layer.q, loader.linear(name + "self_attn.q_proj", width, width, true));
    OCELLUS_ASSIGN_OR_RETURN(layer.k, loader.linear(name + "self_attn.k_proj", width, width, true));
    OCELLUS_ASSIGN_OR_RETURN(layer.v, loader.linear(name + "self_attn.v_proj", width, width, true));
    OCELLUS_ASSIGN_OR_RETURN(layer.out,
                             loader.linear(name + "self_attn.out_proj", width, width, true));
    OCELLUS_ASSIGN_OR_RETURN(layer.fc1,
                             loader.linear(name + "mlp.fc1", c.intermediate_size, width, true));
    OCELLUS_ASSIGN_OR_RETURN(layer.fc2,
                             loader.linear(name + "mlp.fc2", width, c.intermediate_size, true));
    tower.layers_.push_back(std::move(layer));
  }
  return tower;
}

std::int64_t VisionTower::feature_rows() const { return rows() - (drop_first_ ? 1 : 0); }

std::int64_t VisionTower::feature_width() const {
  return config_.hidden_size * static_cast<std::int64_t>(selected_.size());
}

VisionTower::Run VisionTower::make_run() const {
  Run run;
  run.workspace = backend_->make_workspace();
  return run;
}

Status VisionTower::embed(const float* pixels, Run& run) const {
  OCELLUS_ASSIGN_OR_RETURN(run.x, run.hidden.shape(rows(), config_.hidden_size));
  const compute::Matrix x = run.x;
  const std::int64_t first = config_.has_class_token() ? 1 : 0;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix patches,
                           run.patches.shape(config_.patches(), patch_->in()));
  unfold(pixels, config_.image_size, config_.patch_size, patches);
  const compute::ConstMatrix positions(positions_.data(), rows(), x.cols, x.cols);
  const compute::Epilogue epilogue{patch_bias_.empty() ? nullptr : patch_bias_.data(),
                                   compute::Activation::kNone,
                                   positions.slice_rows(first, config_.patches())};
  OCELLUS_RETURN_IF_ERROR(backend_->linear(*patch_, patches, epilogue,
                                           x.slice_rows(first, config_.patches()), *run.workspace));
  if (first == 0) return {};
  std::ranges::transform(class_token_, std::span(positions.row(0), class_token_.size()), x.row(0),
                         std::plus<>());
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
  OCELLUS_RETURN_IF_ERROR(backend_->linear(*layer.out.weight, attended,
                                           layer.out.epilogue(compute::Activation::kNone, x), x,
                                           *run.workspace));
  OCELLUS_RETURN_IF_ERROR(
      backend_->layer_norm(x, layer.norm2.weight.data(), layer.norm2.bias.data(), eps, normed));
  OCELLUS_RETURN_IF_ERROR(backend_->linear(
      *layer.fc1.weight, normed, layer.fc1.epilogue(config_.activation), inner, *run.workspace));
  return backend_->linear(*layer.fc2.weight, inner,
                          layer.fc2.epilogue(compute::Activation::kNone, x), x, *run.workspace);
}

void VisionTower::select(std::int64_t hidden_state, compute::ConstMatrix x,
                         compute::Matrix features) const {
  const std::int64_t first = drop_first_ ? 1 : 0;
  for (std::size_t place = 0; place < selected_.size(); ++place) {
    if (selected_[place] != hidden_state) continue;
    const compute::Matrix out =
        features.slice_cols(static_cast<std::int64_t>(place) * x.cols, x.cols);
    for (std::int64_t row = 0; row < out.rows; ++row) {
      std::copy_n(x.row(row + first), x.cols, out.row(row));
    }
  }
}

Status VisionTower::advance(const float* pixels, Run& run, compute::Matrix features) const {
  if (done(run)) return {};
  if (run.steps == 0) {
    OCELLUS_RETURN_IF_ERROR(embed(pixels, run));
  } else {
    OCELLUS_RETURN_IF_ERROR(run_layer(layers_[static_cast<std::size_t>(run.steps - 1)], run));
  }
  select(run.steps++, run.x, features);
  return {};
}

}  // namespace ocellus::models
