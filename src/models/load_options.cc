#include "models/load_options.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::models {
namespace {

using base::make_error;
using compute::Arithmetic;
using tensor::DType;

bool is_stored_in_blocks(const ModelTensors& tensors) {
  return std::ranges::any_of(tensors.table().specs(), [&](const TensorSpec& spec) {
    if (spec.part != Part::kLanguage || spec.role != TensorRole::kLayerMatrix) return false;
    const StoredTensor* const stored = tensors.find(spec.name);
    return stored != nullptr && stored->dtype && tensor::is_quantized(*stored->dtype);
  });
}

}  // namespace

PictureOptions picture_options(const ModelOptions& options) {
  return {options.preprocess, options.max_tiles, options.image_tokens, options.min_image_tokens};
}

Status check_no_minimum(const PictureOptions& options) {
  if (options.min_rows == 0) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "image tokens: expected no least number, which this family has no setting for, "
                    "found {}",
                    options.min_rows);
}

Status check_preprocess_is_models(const PictureOptions& options) {
  if (options.preprocess == Preprocess::kModel) return {};
  return make_error(ErrorCode::kInvalidArgument,
                    "preprocess: expected model: pictures of this family are no squares, found {}",
                    options.preprocess == Preprocess::kPad ? "pad" : "crop");
}

compute::WeightFormat storage_type(TensorRole role, DType stored, std::int64_t in,
                                   const WeightChoice& choice) {
  const DType requested = choice.dtype.value_or(stored);
  if (!choice.is_quantized()) {
    const bool narrow = stored == DType::kF16 || stored == DType::kBF16;
    if (!choice.dtype && narrow && choice.arithmetic == Arithmetic::kReducedPrecision)
      return {DType::kBF16, Arithmetic::kReducedPrecision};
    return {requested, choice.arithmetic};
  }
  if (role == TensorRole::kTokenEmbedding) return stored;
  // What a file has rounded already is not rounded again to more bits.
  const bool layer = role == TensorRole::kLayerMatrix;
  if (tensor::is_quantized(stored) && !layer) return stored;
  if (role == TensorRole::kHead) return DType::kQ8;
  const bool eight_bits = requested == DType::kQ8 || requested == DType::kQ8_0;
  if (!layer && !(eight_bits && role == TensorRole::kProjector))
    return {DType::kBF16, Arithmetic::kReducedPrecision};
  return tensor::whole_blocks(requested, in) ? requested : DType::kQ8;
}

PartArithmetic arithmetic_of(const ModelTensors& tensors, const LoadOptions& options,
                             bool multiplies_bf16) {
  if (const auto& packed = tensors.checkpoint().packed) return packed->arithmetic;
  const auto requested = [](std::optional<DType> dtype) {
    const bool reduced = dtype && (*dtype == DType::kBF16 || tensor::is_quantized(*dtype));
    return reduced ? Arithmetic::kReducedPrecision : Arithmetic::kF32;
  };
  PartArithmetic arithmetic{.language = requested(options.weights),
                            .tower = requested(options.tower_weights)};
  const bool blocks =
      options.weights ? tensor::is_quantized(*options.weights) : is_stored_in_blocks(tensors);
  if (blocks) arithmetic.language = Arithmetic::kReducedPrecision;
  if (!options.tower_weights && blocks && multiplies_bf16)
    arithmetic.tower = Arithmetic::kReducedPrecision;
  return arithmetic;
}

std::size_t weight_bytes(const ModelTensors& tensors, const LoadOptions& options) {
  if (tensors.checkpoint().packed) return tensors.stored_bytes();
  std::size_t bytes = 0;
  const PartArithmetic arithmetic = arithmetic_of(tensors, options, false);
  for (const TensorSpec& spec : tensors.table().specs()) {
    const StoredTensor* const stored = tensors.find(spec.name);
    if (stored == nullptr) continue;
    const std::size_t rank = stored->shape.rank();
    if (rank < 2 || !stored->dtype) {
      bytes += stored->data.size();
      continue;
    }
    const WeightChoice choice = spec.part == Part::kLanguage
                                    ? WeightChoice{options.weights, arithmetic.language}
                                    : WeightChoice{options.tower_weights, arithmetic.tower};
    const DType held =
        storage_type(spec.role, *stored->dtype, stored->shape[rank - 1], choice).dtype;
    const auto elements = static_cast<std::size_t>(stored->shape.elements().value_or(0));
    bytes += (elements + tensor::block_values(held) - 1) / tensor::block_values(held) *
             tensor::block_bytes(held);
  }
  return bytes;
}

Status check_packed(const Checkpoint& checkpoint, const compute::Backend& backend,
                    const LoadOptions& options) {
  if (options.weights || options.tower_weights) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: is packed: its weights are held as they are; for another type pack its "
                      "source again",
                      checkpoint.path.string());
  }
  if (checkpoint.packed->layout == backend.weight_layout()) return {};
  return make_error(ErrorCode::kUnsupported,
                    "{}: is packed for \"{}\", this program has \"{}\": pack its source again",
                    checkpoint.path.string(), checkpoint.packed->layout, backend.weight_layout());
}

}  // namespace ocellus::models
