#include "models/parts/weight_loader.h"

#include <cstring>

#include "base/result.h"
#include "tensor/quant.h"

namespace ocellus::models {
namespace {

// Rows in the order of the reference. GGUF has Llama's queries and keys so that the two values that
// rotate together are neighbours: row 2 i + s of a head is the reference's row s * half + i.
std::vector<std::byte> unpaired(std::span<const std::byte> data, std::int64_t rows,
                                std::int64_t heads) {
  std::vector<std::byte> ordered(data.size());
  const std::int64_t half = rows / heads / 2;
  const std::size_t row_bytes = data.size() / static_cast<std::size_t>(rows);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t head = row / (2 * half), inside = row % (2 * half);
    const std::int64_t from = head * 2 * half + inside % half * 2 + inside / half;
    std::memcpy(ordered.data() + static_cast<std::size_t>(row) * row_bytes,
                data.data() + static_cast<std::size_t>(from) * row_bytes, row_bytes);
  }
  return ordered;
}

bool is_layer(std::string_view name) {
  return name.starts_with("language.layers.") || name.starts_with("tower.encoder.");
}

}  // namespace

compute::WeightFormat storage_type(std::string_view name, tensor::DType stored, std::int64_t in,
                                   const WeightChoice& choice) {
  using tensor::DType;
  const DType wanted = choice.dtype.value_or(stored);
  if (!choice.is_quantized()) {
    const bool narrow = stored == DType::kF16 || stored == DType::kBF16;
    if (!choice.dtype && narrow && choice.arithmetic == compute::Arithmetic::kReducedPrecision)
      return {DType::kBF16, compute::Arithmetic::kReducedPrecision};
    return {wanted, choice.arithmetic};
  }
  if (name == "language.embed_tokens.weight") return stored;
  // What a file has rounded already is not rounded again to more bits.
  if (tensor::is_quantized(stored) && !is_layer(name)) return stored;
  if (name == "lm_head.weight") return DType::kQ8;
  const bool eight_bits = wanted == DType::kQ8 || wanted == DType::kQ8_0;
  if (!is_layer(name) && !(eight_bits && name.starts_with("projector.")))
    return {DType::kBF16, compute::Arithmetic::kReducedPrecision};
  return tensor::whole_blocks(wanted, in) ? wanted : DType::kQ8;
}

const StoredTensor& WeightLoader::stored(const std::string& name) const {
  return checkpoint_.tensors.find(name)->second;
}

Result<std::unique_ptr<compute::Weight>> WeightLoader::make(const std::string& name,
                                                            tensor::TensorView view,
                                                            std::int64_t out,
                                                            std::int64_t in) const {
  const StoredTensor& tensor = stored(name);
  if (tensor.image) {
    if (tensor.image->out != out || tensor.image->in != in) {
      return base::make_error(ErrorCode::kBadModel, "expected {} x {} values, found {} x {}", out,
                              in, tensor.image->out, tensor.image->in);
    }
    return backend_.map_weight(*tensor.image, checkpoint_.packed->file);
  }
  std::vector<std::byte> ordered;
  if (const std::int64_t heads = tensor.rope_permuted_heads; heads > 0) {
    ordered = unpaired(view.data, view.shape[0], heads);
    view.data = ordered;
  }
  view.shape = {out, in};
  return backend_.make_weight(view, storage_type(name, view.dtype, in, choice_));
}

Result<std::unique_ptr<compute::Weight>> WeightLoader::matrix(const std::string& name,
                                                              const tensor::Shape& stored_shape,
                                                              std::int64_t out,
                                                              std::int64_t in) const {
  if (stop_ && stop_()) return base::make_error(ErrorCode::kCancelled, "loading was cancelled");
  OCELLUS_ASSIGN_OR_RETURN(const tensor::TensorView view, checkpoint_.tensor(name, stored_shape));
  auto weight = make(name, view, out, in);
  if (!weight) {
    return base::with_context(
        std::move(weight).error(),
        checkpoint_.packed ? checkpoint_.folder.string() + ": " + name : name);
  }
  if (sink_ != nullptr) {
    OCELLUS_RETURN_IF_ERROR(sink_->matrix(name, stored_shape, **weight));
    weight->reset();
  }
  if (loaded_) loaded_(view.data.size());
  return weight;
}

Result<Linear> WeightLoader::linear(const std::string& name, std::int64_t out, std::int64_t in,
                                    bool bias) const {
  Linear linear;
  OCELLUS_ASSIGN_OR_RETURN(linear.weight, matrix(name + ".weight", {out, in}, out, in));
  if (bias) {
    OCELLUS_ASSIGN_OR_RETURN(linear.bias, vector(name + ".bias", {out}));
  }
  return linear;
}

Result<std::vector<float>> WeightLoader::vector(const std::string& name,
                                                const tensor::Shape& shape) const {
  OCELLUS_ASSIGN_OR_RETURN(const tensor::TensorView view, checkpoint_.tensor(name, shape));
  if (stored(name).image) {
    return base::make_error(ErrorCode::kBadModel, "{}: {}: expected values, found a packed matrix",
                            checkpoint_.folder.string(), name);
  }
  if (!tensor::is_weight(view.dtype)) {
    return base::make_error(ErrorCode::kUnsupported, "tensor {}: expected numbers, found {}", name,
                            tensor::dtype_name(view.dtype));
  }
  std::vector<float> values(static_cast<std::size_t>(*shape.elements()));
  tensor::dequantize(view.dtype, view.data.data(), *shape.elements(), values.data());
  if (const std::int64_t heads = stored(name).rope_permuted_heads; heads > 0) {
    const std::vector<std::byte> ordered =
        unpaired(std::as_bytes(std::span(values)), shape[0], heads);
    std::memcpy(values.data(), ordered.data(), ordered.size());
  }
  if (sink_ != nullptr) OCELLUS_RETURN_IF_ERROR(sink_->vector(name, shape, values));
  if (loaded_) loaded_(view.data.size());
  return values;
}

Result<Norm> WeightLoader::norm(const std::string& name, std::int64_t size, bool bias) const {
  Norm norm;
  OCELLUS_ASSIGN_OR_RETURN(norm.weight, vector(name + ".weight", {size}));
  if (bias) {
    OCELLUS_ASSIGN_OR_RETURN(norm.bias, vector(name + ".bias", {size}));
  }
  return norm;
}

}  // namespace ocellus::models
