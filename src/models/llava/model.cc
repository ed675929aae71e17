#include "models/llava/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"

namespace ocellus::models {
namespace {

bool is_language(std::string_view canonical) {
  return canonical.starts_with("language.") || canonical == "lm_head.weight";
}

std::size_t stored_bytes(const Checkpoint& checkpoint) {
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) bytes += tensor.data.size();
  return bytes;
}

bool is_stored_in_blocks(const Checkpoint& checkpoint) {
  const auto found = checkpoint.tensors.find("language.layers.0.mlp.down_proj.weight");
  return found != checkpoint.tensors.end() && found->second.dtype &&
         tensor::is_quantized(*found->second.dtype);
}

// What the options come to for this checkpoint.
PartArithmetic arithmetic_of(const Checkpoint& checkpoint, const LoadOptions& options,
                             bool multiplies_bf16) {
  using compute::Arithmetic;
  if (checkpoint.packed) return checkpoint.packed->arithmetic;
  const auto asked = [](std::optional<tensor::DType> dtype) {
    const bool fast = dtype && (*dtype == tensor::DType::kBF16 || tensor::is_quantized(*dtype));
    return fast ? Arithmetic::kReducedPrecision : Arithmetic::kF32;
  };
  PartArithmetic arithmetic{.language = asked(options.weights),
                            .tower = asked(options.tower_weights)};
  const bool blocks =
      options.weights ? tensor::is_quantized(*options.weights) : is_stored_in_blocks(checkpoint);
  if (blocks) arithmetic.language = Arithmetic::kReducedPrecision;
  if (!options.tower_weights && blocks && multiplies_bf16)
    arithmetic.tower = Arithmetic::kReducedPrecision;
  return arithmetic;
}

Status check_packed(const Checkpoint& checkpoint, const compute::Backend& backend,
                    const LoadOptions& options) {
  if (options.weights || options.tower_weights) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "{}: is packed, and its weights are held as they are; another type is "
                            "for the packing of its source",
                            checkpoint.folder.string());
  }
  if (checkpoint.packed->layout == backend.weight_layout()) return {};
  return base::make_error(
      ErrorCode::kUnsupported,
      "{}: is packed for \"{}\", this program has \"{}\": pack its source again",
      checkpoint.folder.string(), checkpoint.packed->layout, backend.weight_layout());
}

std::string architecture(const formats::ModelConfig& config) {
  const char* const tower = config.tower.kind == formats::TowerKind::kClip ? "clip" : "siglip";
  const char* const language = config.language.kind == formats::LanguageKind::kLlama     ? "llama"
                               : config.language.kind == formats::LanguageKind::kMistral ? "mistral"
                                                                                         : "qwen2";
  return fmt::format("{}: {} {}x{} + {} {}x{}", config.model_type, tower, config.tower.layers,
                     config.tower.hidden_size, language, config.language.layers,
                     config.language.hidden_size);
}

}  // namespace

std::size_t weight_bytes(const Checkpoint& checkpoint, const LoadOptions& options) {
  if (checkpoint.packed) return stored_bytes(checkpoint);
  std::size_t bytes = 0;
  const PartArithmetic arithmetic = arithmetic_of(checkpoint, options, false);
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const std::size_t rank = tensor.shape.rank();
    if (rank < 2 || !tensor.dtype) {
      bytes += tensor.data.size();
      continue;
    }
    const WeightChoice choice = is_language(name)
                                    ? WeightChoice{options.weights, arithmetic.language}
                                    : WeightChoice{options.tower_weights, arithmetic.tower};
    const tensor::DType held =
        storage_type(name, *tensor.dtype, tensor.shape[rank - 1], choice).dtype;
    const auto elements = static_cast<std::size_t>(tensor.shape.elements().value_or(0));
    bytes += (elements + tensor::block_values(held) - 1) / tensor::block_values(held) *
             tensor::block_bytes(held);
  }
  return bytes;
}

Status LlavaModel::load_parts(const Checkpoint& checkpoint, const PartArithmetic& arithmetic,
                              const LoadOptions& options, WeightSink* sink) {
  config_ = checkpoint.config;
  const auto total = static_cast<double>(std::max<std::size_t>(1, stored_bytes(checkpoint)));
  std::size_t done = 0;
  const auto loaded = [&](std::size_t bytes) {
    done += bytes;
    if (options.progress) options.progress(std::min(1.0, static_cast<double>(done) / total));
  };
  const WeightLoader tower_loader(checkpoint, *backend_, {options.tower_weights, arithmetic.tower},
                                  options.stop, loaded, sink);
  const WeightLoader language_loader(checkpoint, *backend_, {options.weights, arithmetic.language},
                                     options.stop, loaded, sink);
  OCELLUS_ASSIGN_OR_RETURN(tower_, VisionTower::load(checkpoint.config, tower_loader));
  OCELLUS_ASSIGN_OR_RETURN(
      projector_, Projector::load(checkpoint.config, tower_.feature_width(), tower_loader));
  OCELLUS_ASSIGN_OR_RETURN(decoder_, Decoder::load(checkpoint.config.language, language_loader));
  auto preprocessing =
      preprocess_settings(checkpoint.image_processor, config_.tower, options.preprocess);
  if (!preprocessing)
    return base::with_context(std::move(preprocessing).error(), checkpoint.folder.string());
  preprocessing_ = *preprocessing;
  facts_ = {.architecture = architecture(config_),
            .image_size = config_.tower.image_size,
            .max_image_rows = tower_.feature_rows(),
            .image_token = static_cast<std::int32_t>(config_.image_token),
            .bos_token = config_.language.bos_token,
            .eos_tokens = config_.language.eos_tokens};
  // A file that was cut short meanwhile would have been read as zeros.
  OCELLUS_RETURN_IF_ERROR(checkpoint.unchanged());
  if (options.progress) options.progress(1.0);
  return {};
}

Result<std::unique_ptr<LlavaModel>> LlavaModel::load(const Checkpoint& checkpoint,
                                                     const compute::Backend& backend,
                                                     const LoadOptions& options) {
  std::unique_ptr<LlavaModel> model(new LlavaModel(backend));
  const PartArithmetic arithmetic = arithmetic_of(checkpoint, options, backend.multiplies_bf16());
  if (checkpoint.packed) OCELLUS_RETURN_IF_ERROR(check_packed(checkpoint, backend, options));
  OCELLUS_RETURN_IF_ERROR(model->load_parts(checkpoint, arithmetic, options, nullptr));
  return model;
}

Result<PartArithmetic> LlavaModel::pack(const Checkpoint& checkpoint,
                                        const compute::Backend& backend, const LoadOptions& options,
                                        WeightSink& sink) {
  if (checkpoint.packed) {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: is packed already",
                            checkpoint.folder.string());
  }
  LlavaModel model(backend);
  const PartArithmetic arithmetic = arithmetic_of(checkpoint, options, backend.multiplies_bf16());
  OCELLUS_RETURN_IF_ERROR(model.load_parts(checkpoint, arithmetic, options, &sink));
  return arithmetic;
}

Result<ImagePlan> LlavaModel::plan_image(std::int64_t, std::int64_t) const {
  const std::int64_t side = config_.tower.image_size;
  ImagePlan plan;
  plan.inputs = {{side, side}};
  plan.layout = {{.rows = tower_.feature_rows()}};
  return plan;
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
