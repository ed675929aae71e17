#include "models/parts/anyres_connector.h"

#include <algorithm>
#include <cmath>

#include "base/result.h"

namespace ocellus::models {
namespace {

// The patches of all tiles as one picture, without its borders.
class Patches {
 public:
  // `tiles`: rows of all tiles, tile by tile, each line by line.
  Patches(tensor::ConstMatrix tiles, std::int64_t side, std::int64_t tiles_across,
          const AnyresLayout& layout)
      : tiles_(tiles), side_(side), across_(tiles_across), layout_(layout) {}

  const float* at(std::int64_t y, std::int64_t x) const {
    y += layout_.top;
    x += layout_.left;
    const std::int64_t tile = y / side_ * across_ + x / side_;
    return tiles_.row((tile * side_ + y % side_) * side_ + x % side_);
  }

 private:
  tensor::ConstMatrix tiles_;
  std::int64_t side_, across_;
  const AnyresLayout& layout_;
};

// Between which two samples a sample of the smaller side lies, and how near the second.
struct Place {
  std::int64_t first, second;
  float weight;
};

// torch's interpolate(mode="bilinear", align_corners=False), which does not smooth first.
Place place(std::int64_t index, std::int64_t from, std::int64_t to) {
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  const float at = std::max(0.0f, scale * (static_cast<float>(index) + 0.5f) - 0.5f);
  const std::int64_t first = std::min(static_cast<std::int64_t>(at), from - 1);
  return {first, std::min(first + 1, from - 1), at - static_cast<float>(first)};
}

}  // namespace

void add_newline_tensor(TensorTable& table, std::int64_t hidden, std::string_view gguf_name) {
  TableSection(table, Part::kProjector, "", "")
      .add("image_newline", gguf_name, {hidden}, TensorRole::kVector);
}

Result<std::unique_ptr<const Connector>> AnyresConnector::load(const AnyresConfig& anyres,
                                                               const MlpProjectorConfig& projector,
                                                               const WeightLoader& loader) {
  OCELLUS_ASSIGN_OR_RETURN(MlpProjector mlp, MlpProjector::load(projector, loader));
  std::unique_ptr<AnyresConnector> connector(new AnyresConnector(std::move(mlp), anyres));
  OCELLUS_ASSIGN_OR_RETURN(connector->newline_, loader.vector("image_newline"));
  return connector;
}

Status AnyresConnector::join(const ImagePlan& plan, tensor::ConstMatrix projected,
                             tensor::Matrix rows) const {
  const std::int64_t whole = config_.whole_rows();
  for (std::int64_t i = 0; i < whole; ++i) std::copy_n(projected.row(i), rows.cols, rows.row(i));
  std::int64_t next = whole;
  if (plan.inputs.size() == 1) {
    std::ranges::copy(newline_, rows.row(next));
    return {};
  }
  const AnyresLayout layout = anyres_layout(config_, plan.size, plan.canvas);
  const Patches patches(projected.slice_rows(whole, projected.rows - whole), config_.patches,
                        plan.canvas.width / config_.tile, layout);
  const bool averaged = layout.rows != layout.height || layout.columns != layout.width;
  for (std::int64_t y = 0; y < layout.rows; ++y) {
    const Place down = place(y, layout.height, layout.rows);
    for (std::int64_t x = 0; x < layout.columns; ++x) {
      float* const to = rows.row(next++);
      if (!averaged) {
        std::copy_n(patches.at(y, x), rows.cols, to);
        continue;
      }
      const Place across = place(x, layout.width, layout.columns);
      const float *a = patches.at(down.first, across.first),
                  *b = patches.at(down.first, across.second),
                  *c = patches.at(down.second, across.first),
                  *d = patches.at(down.second, across.second);
      const float right = across.weight, left = 1 - right, below = down.weight, above = 1 - below;
      for (std::int64_t i = 0; i < rows.cols; ++i)
        to[i] = above * (left * a[i] + right * b[i]) + below * (left * c[i] + right * d[i]);
    }
    std::ranges::copy(newline_, rows.row(next++));
  }
  return {};
}

}  // namespace ocellus::models
