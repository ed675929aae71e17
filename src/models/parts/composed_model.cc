#include "models/parts/composed_model.h"

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

Status ComposedModel::load_parts(const ComposedConfig& config, const ModelTensors& tensors,
                                 const LoadPictures& load_pictures, const compute::Backend& backend,
                                 const PartArithmetic& arithmetic, const LoadOptions& options,
                                 WeightSink* sink) {
  const auto total = static_cast<double>(std::max<std::size_t>(1, tensors.stored_bytes()));
  std::size_t done = 0;
  const auto loaded = [&](std::size_t bytes) {
    done += bytes;
    if (options.progress) options.progress(std::min(1.0, static_cast<double>(done) / total));
  };
  const WeightLoader tower_loader(tensors, backend, {options.tower_weights, arithmetic.tower},
                                  options.stop, loaded, sink);
  const WeightLoader language_loader(tensors, backend, {options.weights, arithmetic.language},
                                     options.stop, loaded, sink);
  OCELLUS_ASSIGN_OR_RETURN(pictures_, load_pictures(tower_loader));
  OCELLUS_ASSIGN_OR_RETURN(decoder_, Decoder::load(config.language, language_loader));
  log_ignored(tensors);
  // A file that was cut short meanwhile would have been read as zeros.
  OCELLUS_RETURN_IF_ERROR(tensors.checkpoint().unchanged());
  if (options.progress) options.progress(1.0);
  return {};
}

Result<std::unique_ptr<ComposedModel>> ComposedModel::load(const ComposedConfig& config,
                                                           const ModelSummary& summary,
                                                           const ModelTensors& tensors,
                                                           const LoadPictures& load_pictures,
                                                           const compute::Backend& backend,
                                                           const LoadOptions& options) {
  auto model = std::make_unique<ComposedModel>();
  if (tensors.checkpoint().packed)
    OCELLUS_RETURN_IF_ERROR(check_packed(tensors.checkpoint(), backend, options));
  const PartArithmetic arithmetic = arithmetic_of(tensors, options, backend.multiplies_bf16());
  OCELLUS_RETURN_IF_ERROR(
      model->load_parts(config, tensors, load_pictures, backend, arithmetic, options, nullptr));
  model->facts_ = {.architecture = summary.architecture(),
                   .image_size = model->pictures_->image_size(),
                   .max_image_rows = model->pictures_->max_rows(),
                   .pixel_shape = model->pictures_->pixel_shape(),
                   .image_token = static_cast<std::int32_t>(config.tokens.image),
                   .bos_token = config.tokens.bos,
                   .eos_tokens = config.tokens.eos};
  return model;
}

Result<PartArithmetic> ComposedModel::pack(const ComposedConfig& config,
                                           const ModelTensors& tensors,
                                           const LoadPictures& load_pictures,
                                           const compute::Backend& backend,
                                           const LoadOptions& options, WeightSink& sink) {
  const Checkpoint& checkpoint = tensors.checkpoint();
  if (checkpoint.packed) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "{}: is packed already: expected what it was packed from",
                            checkpoint.path.string());
  }
  ComposedModel model;
  const PartArithmetic arithmetic = arithmetic_of(tensors, options, backend.multiplies_bf16());
  OCELLUS_RETURN_IF_ERROR(
      model.load_parts(config, tensors, load_pictures, backend, arithmetic, options, &sink));
  return arithmetic;
}

}  // namespace ocellus::models
