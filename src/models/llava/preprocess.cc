#include "models/llava/preprocess.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::models {
namespace {

class LlavaTiling final : public Tiling {
 public:
  LlavaTiling(const image::PreprocessSettings& settings, std::int64_t side, std::int64_t rows)
      : settings_(settings), side_(side), rows_(rows) {}

  std::int64_t max_rows() const override { return rows_; }

  Result<ImagePlan> plan(image::Size size, ImageUse) const override {
    ImagePlan plan;
    plan.size = size;
    plan.inputs = {{side_, side_}};
    plan.layout = {{.rows = rows_}};
    return plan;
  }

  Result<ImageFacts> facts(image::Size size) const override {
    ImageFacts facts;
    if (settings_.pad_to_square) size.height = size.width = std::max(size.height, size.width);
    OCELLUS_ASSIGN_OR_RETURN(facts.resized, image::resized_size(size, settings_));
    facts.fit = settings_.pad_to_square ? "pad" : settings_.do_center_crop ? "crop" : "exact";
    facts.seen.height = facts.seen.width = static_cast<int>(side_);
    facts.rows = rows_;
    return facts;
  }

  Result<std::vector<image::Image>> cut(const image::Image& picture, ImageUse) const override {
    OCELLUS_ASSIGN_OR_RETURN(image::Image seen, image::resize_and_crop(picture, settings_));
    std::vector<image::Image> inputs;
    inputs.push_back(std::move(seen));
    return inputs;
  }

  const image::PreprocessSettings& settings() const override { return settings_; }

 private:
  image::PreprocessSettings settings_;
  std::int64_t side_, rows_;
};

}  // namespace

Result<std::unique_ptr<const Tiling>> make_llava_tiling(const LlavaConfig& config,
                                                        const PictureOptions& options) {
  OCELLUS_RETURN_IF_ERROR(check_no_minimum(options));
  const std::int64_t rows = config.feature_rows();
  if (options.max_rows > 0 && options.max_rows < rows) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "image tokens: expected at least the {} that every picture takes, "
                            "found {}",
                            rows, options.max_rows);
  }
  image::PreprocessSettings settings = config.images;
  if (options.preprocess != Preprocess::kModel)
    settings.pad_to_square = options.preprocess == Preprocess::kPad;
  OCELLUS_RETURN_IF_ERROR(check_square(settings, config.tower.image_size));
  return std::make_unique<const LlavaTiling>(settings, config.tower.image_size, rows);
}

}  // namespace ocellus::models
