#include "models/qwen_vl/pictures.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/result.h"
#include "image/resize.h"
#include "models/parts/grid_order.h"

namespace ocellus::models {
namespace {

using base::make_error;

class QwenVlPictures final : public Pictures {
 public:
  QwenVlPictures(QwenVlConfig config, GridTower tower)
      : config_(std::move(config)), tower_(std::move(tower)) {}

  std::int64_t image_size() const override {
    return static_cast<std::int64_t>(std::sqrt(static_cast<double>(config_.max_pixels)));
  }
  std::int64_t max_rows() const override { return config_.max_rows(); }
  PixelShape pixel_shape() const override { return PixelShape::kPatches; }
  ImageUse use(std::size_t) const override { return ImageUse::kAlone; }

  Result<ImagePlan> plan(image::Size size, ImageUse) const override {
    OCELLUS_ASSIGN_OR_RETURN(const image::Size seen, qwen_vl_size(config_, size));
    const auto unit = static_cast<std::int32_t>(config_.unit());
    const std::int32_t height = seen.height / unit, width = seen.width / unit;
    ImagePlan plan;
    plan.size = size;
    plan.canvas = seen;
    plan.inputs = {{seen.height, seen.width}};
    plan.layout = {{.rows = std::int64_t{height} * width}};
    // A picture stands still in time; text goes on behind its longer side.
    for (std::int32_t y = 0; y < height; ++y)
      for (std::int32_t x = 0; x < width; ++x) plan.positions.push_back({0, y, x});
    plan.position_span = std::max(height, width);
    OCELLUS_ASSIGN_OR_RETURN(const image::Size most, qwen_vl_unbounded_size(config_, size));
    if (most != seen) plan.unbounded_rows = most.height / unit * (most.width / unit);
    return plan;
  }

  Result<PreparedImage> prepare(const image::Image& picture, ImageUse use) const override {
    PreparedImage prepared;
    OCELLUS_ASSIGN_OR_RETURN(prepared.plan, plan({picture.height, picture.width}, use));
    OCELLUS_ASSIGN_OR_RETURN(image::Image resized, qwen_vl_resized(config_, picture));
    OCELLUS_ASSIGN_OR_RETURN(const image::PixelValues pixels,
                             image::rescale_and_normalize(std::move(resized), config_.images));
    prepared.inputs.push_back(patches_of(pixels));
    return prepared;
  }

  std::unique_ptr<ImageEncoder> make_encoder() const override {
    return std::make_unique<Encoder>(*this);
  }

 private:
  class Encoder final : public ImageEncoder {
   public:
    explicit Encoder(const QwenVlPictures& pictures)
        : tower_(pictures.tower_), run_(pictures.tower_.make_run()) {}

    Status begin(const PreparedImage& image) override {
      const GridTowerConfig& c = tower_.config();
      image_ = &image;
      run_.steps = 0;
      run_.grid = {image.plan.canvas.height / c.patch, image.plan.canvas.width / c.patch};
      const std::int64_t rows = image.plan.rows();
      const auto values = static_cast<std::size_t>(rows * c.out);
      embeddings_ = {.rows = rows, .cols = c.out, .data = {}, .inner = {}};
      embeddings_.data.resize(values);
      embeddings_.inner.assign(c.deep_layers.size(), std::vector<float>(values));
      return {};
    }

    bool done() const override { return image_ == nullptr || tower_.done(run_); }
    std::int64_t inputs_done() const override { return image_ != nullptr && done() ? 1 : 0; }

    Status advance() override {
      if (done()) return {};
      const TowerInput& input = image_->inputs.front();
      const std::int64_t rows = input.shape[0], values = input.shape[1];
      return tower_.advance({input.values.data(), rows, values, values}, run_, embeddings_);
    }

    ImageEmbeddings take() override { return std::move(embeddings_); }
    tensor::ConstMatrix features() const override { return run_.x; }

   private:
    const GridTower& tower_;
    GridTower::Run run_;
    const PreparedImage* image_ = nullptr;
    ImageEmbeddings embeddings_;
  };

  // Square by square; a patch's values are those of [channel][frame][y][x], all frames alike.
  TowerInput patches_of(const image::PixelValues& pixels) const {
    const GridTowerConfig& c = config_.tower;
    const std::int64_t patch = c.patch, plane = std::int64_t{pixels.height} * pixels.width;
    const auto places = patch_places(pixels.height / patch, pixels.width / patch, c.merge);
    TowerInput input{.shape = {std::ssize(places), c.patch_values()}, .values = {}};
    input.values.resize(places.size() * static_cast<std::size_t>(c.patch_values()));
    float* to = input.values.data();
    for (const PatchPlace& at : places) {
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        const float* const from = pixels.data.data() + channel * plane +
                                  at.row * patch * pixels.width + at.column * patch;
        for (std::int64_t frame = 0; frame < c.frames; ++frame)
          for (std::int64_t y = 0; y < patch; ++y)
            to = std::copy_n(from + y * pixels.width, patch, to);
      }
    }
    return input;
  }

  QwenVlConfig config_;
  GridTower tower_;
};

// Python's round(): halves go to the even neighbour.
std::int64_t rounded(double x) { return static_cast<std::int64_t>(std::nearbyint(x)); }

// The size that a picture is brought to within `max_pixels`.
Result<image::Size> size_within(const QwenVlConfig& c, std::int64_t max_pixels,
                                image::Size picture) {
  const int longer = std::max(picture.height, picture.width),
            shorter = std::min(picture.height, picture.width);
  if (static_cast<double>(longer) / shorter > kMaxAspect) {
    return make_error(ErrorCode::kBadImage,
                      "picture of {} x {}: expected a longer side of at most {} times the shorter",
                      picture.width, picture.height, kMaxAspect);
  }
  const std::int64_t unit = c.unit();
  const double height = picture.height, width = picture.width, u = static_cast<double>(unit);
  std::int64_t to_height = rounded(height / u) * unit, to_width = rounded(width / u) * unit;
  if (to_height * to_width > max_pixels) {
    const double beta = std::sqrt(height * width / static_cast<double>(max_pixels));
    const auto fit = [&](double side) {
      return std::max(unit, static_cast<std::int64_t>(std::floor(side / beta / u)) * unit);
    };
    to_height = fit(height);
    to_width = fit(width);
  } else if (to_height * to_width < c.min_pixels) {
    const double beta = std::sqrt(static_cast<double>(c.min_pixels) / (height * width));
    const auto fit = [&](double side) {
      return static_cast<std::int64_t>(std::ceil(side * beta / u)) * unit;
    };
    to_height = fit(height);
    to_width = fit(width);
  }
  // A side that rounds to nothing, where so few pixels are allowed.
  to_height = std::max(to_height, unit);
  to_width = std::max(to_width, unit);
  return image::Size{static_cast<int>(to_height), static_cast<int>(to_width)};
}

}  // namespace

Result<image::Size> qwen_vl_size(const QwenVlConfig& config, image::Size picture) {
  return size_within(config, config.max_pixels, picture);
}

Result<image::Size> qwen_vl_unbounded_size(const QwenVlConfig& config, image::Size picture) {
  return size_within(config, std::max(config.max_pixels, config.unbounded_pixels), picture);
}

Result<image::Image> qwen_vl_resized(const QwenVlConfig& config, const image::Image& picture) {
  OCELLUS_ASSIGN_OR_RETURN(const image::Size size,
                           qwen_vl_size(config, {picture.height, picture.width}));
  return image::resize(picture, size.width, size.height, config.images.filter);
}

Result<QwenVlConfig> within_limits(const QwenVlConfig& config, const PictureOptions& options) {
  OCELLUS_RETURN_IF_ERROR(check_preprocess_is_models(options));
  QwenVlConfig c = config;
  const std::int64_t unit = c.unit() * c.unit(), most = c.max_pixels / unit;
  const std::int64_t usual = std::max(c.min_pixels, kUsualImageTokens * unit);
  if (options.max_rows > 0) {
    if (options.max_rows < most) c.max_pixels = options.max_rows * unit;
  } else if (options.max_rows == 0 && c.max_pixels > usual) {
    c.unbounded_pixels = std::exchange(c.max_pixels, usual);
  }
  if (options.min_rows <= most) c.min_pixels = std::max(c.min_pixels, options.min_rows * unit);
  if (c.max_pixels < c.min_pixels || options.min_rows > most) {
    return make_error(ErrorCode::kInvalidArgument,
                      "image tokens: expected limits between {} and {}, the checkpoint's, found {} "
                      "to {}",
                      (config.min_pixels + unit - 1) / unit, config.max_pixels / unit,
                      options.min_rows, options.max_rows);
  }
  return c;
}

Result<std::unique_ptr<const Pictures>> load_qwen_vl_pictures(const QwenVlConfig& config,
                                                              const WeightLoader& loader) {
  OCELLUS_ASSIGN_OR_RETURN(GridTower tower, GridTower::load(config.tower, loader));
  return std::make_unique<const QwenVlPictures>(config, std::move(tower));
}

}  // namespace ocellus::models
