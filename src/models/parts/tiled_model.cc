#include "models/parts/tiled_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/log.h"
#include "base/result.h"

namespace ocellus::models {
namespace {

void log_ignored(const ModelTensors& tensors) {
  constexpr std::size_t kNamed = 8;
  const auto ignored = tensors.ignored();
  if (ignored.empty()) return;
  const auto named = std::span(ignored).first(std::min(kNamed, ignored.size()));
  base::log(
      base::LogLevel::kWarning,
      fmt::format(
          "{}: not of this model, and ignored: {}{}", tensors.checkpoint().path.string(),
          fmt::join(named, ", "),
          ignored.size() > kNamed ? fmt::format(" and {} more", ignored.size() - kNamed) : ""));
}

}  // namespace

Status TiledModel::load_parts(const TiledConfig& config, const ModelTensors& tensors,
                              const LoadConnector& load_connector, const PartArithmetic& arithmetic,
                              const LoadOptions& options, WeightSink* sink) {
  const auto total = static_cast<double>(std::max<std::size_t>(1, tensors.stored_bytes()));
  std::size_t done = 0;
  const auto loaded = [&](std::size_t bytes) {
    done += bytes;
    if (options.progress) options.progress(std::min(1.0, static_cast<double>(done) / total));
  };
  const WeightLoader tower_loader(tensors, *backend_, {options.tower_weights, arithmetic.tower},
                                  options.stop, loaded, sink);
  const WeightLoader language_loader(tensors, *backend_, {options.weights, arithmetic.language},
                                     options.stop, loaded, sink);
  OCELLUS_ASSIGN_OR_RETURN(tower_, VisionTower::load(config.tower, config.features, tower_loader));
  // Not computed with, but whether a GGUF file has it says which layer feeds the projector.
  if (sink != nullptr && !config.features.after_norm && tensors.has("tower.post_layernorm.weight"))
    OCELLUS_RETURN_IF_ERROR(tower_loader.norm("tower.post_layernorm"));
  OCELLUS_ASSIGN_OR_RETURN(connector_, load_connector(tower_loader));
  OCELLUS_ASSIGN_OR_RETURN(decoder_, Decoder::load(config.language, language_loader));
  log_ignored(tensors);
  // A file that was cut short meanwhile would have been read as zeros.
  OCELLUS_RETURN_IF_ERROR(tensors.checkpoint().unchanged());
  if (options.progress) options.progress(1.0);
  return {};
}

Result<std::unique_ptr<TiledModel>> TiledModel::load(
    const TiledConfig& config, const ModelSummary& summary, const ModelTensors& tensors,
    std::unique_ptr<const Tiling> tiling, const LoadConnector& load_connector,
    const compute::Backend& backend, const LoadOptions& options) {
  std::unique_ptr<TiledModel> model(new TiledModel(backend));
  model->tiling_ = std::move(tiling);
  model->facts_ = {.architecture = summary.architecture(),
                   .image_size = config.tower.image_size,
                   .max_image_rows = model->tiling_->max_rows(),
                   .pixel_shape = model->tiling_->pixel_shape(),
                   .image_token = static_cast<std::int32_t>(config.tokens.image),
                   .bos_token = config.tokens.bos,
                   .eos_tokens = config.tokens.eos};
  if (tensors.checkpoint().packed)
    OCELLUS_RETURN_IF_ERROR(check_packed(tensors.checkpoint(), backend, options));
  const PartArithmetic arithmetic = arithmetic_of(tensors, options, backend.multiplies_bf16());
  OCELLUS_RETURN_IF_ERROR(
      model->load_parts(config, tensors, load_connector, arithmetic, options, nullptr));
  return model;
}

Result<PartArithmetic> TiledModel::pack(const TiledConfig& config, const ModelTensors& tensors,
                                        const LoadConnector& load_connector,
                                        const compute::Backend& backend, const LoadOptions& options,
                                        WeightSink& sink) {
  const Checkpoint& checkpoint = tensors.checkpoint();
  if (checkpoint.packed) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "{}: is packed already: expected what it was packed from",
                            checkpoint.path.string());
  }
  TiledModel model(backend);
  const PartArithmetic arithmetic = arithmetic_of(tensors, options, backend.multiplies_bf16());
  OCELLUS_RETURN_IF_ERROR(
      model.load_parts(config, tensors, load_connector, arithmetic, options, &sink));
  return arithmetic;
}

Result<PreparedImage> TiledModel::prepare_image(const image::Image& picture, ImageUse use) const {
  PreparedImage prepared;
  OCELLUS_ASSIGN_OR_RETURN(prepared.plan, plan_image({picture.height, picture.width}, use));
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
class TiledModel::Encoder final : public ImageEncoder {
 public:
  explicit Encoder(const TiledModel& model) : model_(model), run_(model.tower_.make_run()) {}

  Status begin(const PreparedImage& image) override {
    image_ = &image;
    inputs_ = std::ssize(image.inputs);
    inputs_done_ = 0;
    run_.steps = 0;
    OCELLUS_ASSIGN_OR_RETURN(features_, features_buffer_.shape(model_.tower_.feature_rows(),
                                                               model_.tower_.feature_width()));
    const std::int64_t hidden = model_.language().facts().hidden_size, rows = image.plan.rows(),
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

  const TiledModel& model_;
  VisionTower::Run run_;
  MatrixBuffer features_buffer_, projected_buffer_;
  Connector::Scratch scratch_;
  compute::Matrix features_;   // of the input at work
  compute::Matrix projected_;  // of all inputs: in the embeddings, or in a buffer to be joined
  const PreparedImage* image_ = nullptr;
  std::int64_t inputs_ = 0, inputs_done_ = 0;
  ImageEmbeddings embeddings_;
};

std::unique_ptr<ImageEncoder> TiledModel::make_encoder() const {
  return std::make_unique<Encoder>(*this);
}

}  // namespace ocellus::models
