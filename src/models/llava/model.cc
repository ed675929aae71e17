#include "models/llava/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/result.h"
#include "models/llava/preprocess.h"
#include "models/llava/prompt.h"

namespace ocellus::models {

Status LlavaModel::load_parts(const ModelTensors& tensors, const PartArithmetic& arithmetic,
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
  OCELLUS_ASSIGN_OR_RETURN(tower_,
                           VisionTower::load(config_.tower, config_.features, tower_loader));
  // Not computed with, but whether a GGUF file has it says which layer feeds the projector.
  if (sink != nullptr && tensors.has("tower.post_layernorm.weight"))
    OCELLUS_RETURN_IF_ERROR(tower_loader.norm("tower.post_layernorm"));
  OCELLUS_ASSIGN_OR_RETURN(projector_, MlpProjector::load(config_.projector, tower_loader));
  OCELLUS_ASSIGN_OR_RETURN(decoder_, Decoder::load(config_.language, language_loader));
  if (const auto ignored = tensors.ignored(); !ignored.empty()) {
    constexpr std::size_t kNamed = 8;
    const auto named = std::span(ignored).first(std::min(kNamed, ignored.size()));
    base::log(
        base::LogLevel::kWarning,
        fmt::format(
            "{}: not of this model, and ignored: {}{}", tensors.checkpoint().path.string(),
            fmt::join(named, ", "),
            ignored.size() > kNamed ? fmt::format(" and {} more", ignored.size() - kNamed) : ""));
  }
  // A file that was cut short meanwhile would have been read as zeros.
  OCELLUS_RETURN_IF_ERROR(tensors.checkpoint().unchanged());
  if (options.progress) options.progress(1.0);
  return {};
}

Result<std::unique_ptr<LlavaModel>> LlavaModel::load(const LlavaConfig& config,
                                                     const ModelSummary& summary,
                                                     const ModelTensors& tensors,
                                                     const compute::Backend& backend,
                                                     const LoadOptions& options) {
  const Checkpoint& checkpoint = tensors.checkpoint();
  std::unique_ptr<LlavaModel> model(new LlavaModel(config, backend));
  auto preprocessing = llava_preprocess_settings(config, options.preprocess);
  if (!preprocessing)
    return base::with_context(std::move(preprocessing).error(), checkpoint.path.string());
  model->preprocessing_ = *preprocessing;
  model->facts_ = {.architecture = summary.architecture(),
                   .image_size = config.tower.image_size,
                   .max_image_rows = config.image_rows(),
                   .image_token = static_cast<std::int32_t>(config.tokens.image),
                   .bos_token = config.tokens.bos,
                   .eos_tokens = config.tokens.eos};
  if (checkpoint.packed) OCELLUS_RETURN_IF_ERROR(check_packed(checkpoint, backend, options));
  const PartArithmetic arithmetic = arithmetic_of(tensors, options, backend.multiplies_bf16());
  OCELLUS_RETURN_IF_ERROR(model->load_parts(tensors, arithmetic, options, nullptr));
  return model;
}

Result<PartArithmetic> LlavaModel::pack(const LlavaConfig& config, const ModelTensors& tensors,
                                        const compute::Backend& backend, const LoadOptions& options,
                                        WeightSink& sink) {
  const Checkpoint& checkpoint = tensors.checkpoint();
  if (checkpoint.packed) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "{}: is packed already: expected what it was packed from",
                            checkpoint.path.string());
  }
  LlavaModel model(config, backend);
  const PartArithmetic arithmetic = arithmetic_of(tensors, options, backend.multiplies_bf16());
  OCELLUS_RETURN_IF_ERROR(model.load_parts(tensors, arithmetic, options, &sink));
  return arithmetic;
}

Result<ImagePlan> LlavaModel::plan_image(std::int64_t, std::int64_t) const {
  return llava_image_plan(config_);
}

Result<PreparedImage> LlavaModel::prepare_image(const image::Image& picture) const {
  PreparedImage prepared;
  OCELLUS_ASSIGN_OR_RETURN(prepared.plan, plan_image(picture.height, picture.width));
  OCELLUS_ASSIGN_OR_RETURN(image::PixelValues pixels, image::preprocess(picture, preprocessing_));
  prepared.inputs.push_back(
      {.shape = {3, pixels.height, pixels.width}, .values = std::move(pixels.data)});
  return prepared;
}

// Tower, then projector.
class LlavaModel::Encoder final : public ImageEncoder {
 public:
  explicit Encoder(const LlavaModel& model) : model_(model), run_(model.tower_.make_run()) {}

  Status begin(const PreparedImage& image) override {
    image_ = &image;
    run_.steps = 0;
    done_ = false;
    OCELLUS_ASSIGN_OR_RETURN(features_, features_buffer_.shape(model_.tower_.feature_rows(),
                                                               model_.tower_.feature_width()));
    return {};
  }

  bool done() const override { return done_; }

  Status advance() override {
    if (done_) return {};
    if (!model_.tower_.done(run_))
      return model_.tower_.advance(image_->inputs.front().values.data(), run_, features_);
    const std::int64_t hidden = model_.config_.language.hidden_size;
    embeddings_ = {.rows = features_.rows, .cols = hidden, .data = {}, .inner = {}};
    embeddings_.data.resize(static_cast<std::size_t>(features_.rows * hidden));
    OCELLUS_RETURN_IF_ERROR(
        model_.projector_.project(*model_.backend_, features_, projector_buffer_, *run_.workspace,
                                  {embeddings_.data.data(), features_.rows, hidden, hidden}));
    done_ = true;
    return {};
  }

  ImageEmbeddings take() override { return std::move(embeddings_); }
  tensor::ConstMatrix features() const override { return features_; }

 private:
  const LlavaModel& model_;
  VisionTower::Run run_;
  MatrixBuffer features_buffer_, projector_buffer_;
  compute::Matrix features_;
  const PreparedImage* image_ = nullptr;
  ImageEmbeddings embeddings_;
  bool done_ = true;
};

std::unique_ptr<ImageEncoder> LlavaModel::make_encoder() const {
  return std::make_unique<Encoder>(*this);
}

}  // namespace ocellus::models
