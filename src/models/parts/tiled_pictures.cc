#include "models/parts/tiled_pictures.h"

#include "base/result.h"

namespace ocellus::models {

Result<std::unique_ptr<const Pictures>> TiledPictures::load(const TiledConfig& config,
                                                            std::unique_ptr<const Tiling> tiling,
                                                            const LoadConnector& load_connector,
                                                            const WeightLoader& loader) {
  std::unique_ptr<TiledPictures> pictures(new TiledPictures);
  pictures->backend_ = &loader.backend();
  pictures->hidden_ = config.language.hidden_size;
  pictures->side_ = config.tower.image_size;
  pictures->tiling_ = std::move(tiling);
  OCELLUS_ASSIGN_OR_RETURN(pictures->tower_,
                           VisionTower::load(config.tower, config.features, loader));
  // Not computed with, but whether a GGUF file has it says which layer feeds the projector.
  if (loader.packs() && !config.features.after_norm && loader.has("tower.post_layernorm.weight"))
    OCELLUS_RETURN_IF_ERROR(loader.norm("tower.post_layernorm"));
  OCELLUS_ASSIGN_OR_RETURN(pictures->connector_, load_connector(loader));
  return pictures;
}

Result<PreparedImage> TiledPictures::prepare(const image::Image& picture, ImageUse use) const {
  PreparedImage prepared;
  OCELLUS_ASSIGN_OR_RETURN(prepared.plan, plan({picture.height, picture.width}, use));
  OCELLUS_ASSIGN_OR_RETURN(std::vector<image::Image> inputs, tiling_->cut(picture, use));
  for (image::Image& input : inputs) {
    OCELLUS_ASSIGN_OR_RETURN(image::PixelValues pixels,
                             image::rescale_and_normalize(std::move(input), tiling_->settings()));
    prepared.inputs.push_back(
        {.shape = {3, pixels.height, pixels.width}, .values = std::move(pixels.data)});
  }
  return prepared;
}

// For each input the tower, then the connector.
class TiledPictures::Encoder final : public ImageEncoder {
 public:
  explicit Encoder(const TiledPictures& model) : model_(model), run_(model.tower_.make_run()) {}

  Status begin(const PreparedImage& image) override {
    image_ = &image;
    inputs_ = std::ssize(image.inputs);
    inputs_done_ = 0;
    run_.steps = 0;
    OCELLUS_ASSIGN_OR_RETURN(features_, features_buffer_.shape(model_.tower_.feature_rows(),
                                                               model_.tower_.feature_width()));
    const std::int64_t hidden = model_.hidden_, rows = image.plan.rows(),
                       projected = inputs_ * input_rows();
    embeddings_ = {.rows = rows, .cols = hidden, .data = {}, .inner = {}};
    embeddings_.data.resize(static_cast<std::size_t>(rows * hidden));
    if (model_.connector_->joins()) {
      OCELLUS_ASSIGN_OR_RETURN(projected_, projected_buffer_.shape(projected, hidden));
    } else if (rows == projected) {
      projected_ = {embeddings_.data.data(), rows, hidden, hidden};
    } else {
      return base::make_error(ErrorCode::kInternal,
                              "picture: expected {} rows of {} tower inputs, found {}", projected,
                              inputs_, rows);
    }
    return {};
  }

  bool done() const override { return inputs_done_ == inputs_; }
  std::int64_t inputs_done() const override { return inputs_done_; }

  Status advance() override {
    if (done()) return {};
    if (!model_.tower_.done(run_)) {
      const TowerInput& input = image_->inputs[static_cast<std::size_t>(inputs_done_)];
      return model_.tower_.advance(input.values.data(), run_, features_);
    }
    OCELLUS_RETURN_IF_ERROR(model_.connector_->project(
        *model_.backend_, features_, scratch_, *run_.workspace,
        projected_.slice_rows(inputs_done_ * input_rows(), input_rows())));
    if (inputs_done_ + 1 == inputs_ && model_.connector_->joins()) {
      OCELLUS_RETURN_IF_ERROR(model_.connector_->join(
          image_->plan, projected_,
          {embeddings_.data.data(), embeddings_.rows, embeddings_.cols, embeddings_.cols}));
    }
    ++inputs_done_;
    run_.steps = 0;
    return {};
  }

  ImageEmbeddings take() override { return std::move(embeddings_); }
  tensor::ConstMatrix features() const override { return features_; }

 private:
  std::int64_t input_rows() const {
    return model_.connector_->rows_of(model_.tower_.feature_rows());
  }

  const TiledPictures& model_;
  VisionTower::Run run_;
  MatrixBuffer features_buffer_, projected_buffer_;
  Connector::Scratch scratch_;
  compute::Matrix features_;   // of the input at work
  compute::Matrix projected_;  // of all inputs: in the embeddings, or in a buffer to be joined
  const PreparedImage* image_ = nullptr;
  std::int64_t inputs_ = 0, inputs_done_ = 0;
  ImageEmbeddings embeddings_;
};

std::unique_ptr<ImageEncoder> TiledPictures::make_encoder() const {
  return std::make_unique<Encoder>(*this);
}

}  // namespace ocellus::models
