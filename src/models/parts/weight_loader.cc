#include "models/parts/weight_loader.h"

#include <cstring>

#include "base/result.h"
#include "tensor/quant.h"

namespace ocellus::models {
namespace {

using base::make_error;

// Rows as they are computed with. In interleaved RoPE order the two values that rotate together are
// neighbours: row 2 i + s of a head is the reference's row s * half + i. Of a head with gates, row
// i and row half + i are those of a value and of its gate.
std::vector<std::byte> ordered_rows(std::span<const std::byte> data, std::int64_t rows,
                                    std::int64_t heads, bool gated) {
  std::vector<std::byte> ordered(data.size());
  const std::int64_t half = rows / heads / 2;
  const std::size_t row_bytes = data.size() / static_cast<std::size_t>(rows);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t head = row / (2 * half), inside = row % (2 * half);
    const std::int64_t from =
        gated ? row % (rows / 2) / half * 2 * half + row % half + row / (rows / 2) * half
              : head * 2 * half + inside % half * 2 + inside / half;
    std::memcpy(ordered.data() + static_cast<std::size_t>(row) * row_bytes,
                data.data() + static_cast<std::size_t>(from) * row_bytes, row_bytes);
  }
  return ordered;
}

}  // namespace

std::pair<std::int64_t, bool> WeightLoader::ordered_heads(const TensorSpec& spec) const {
  if (spec.gated_heads > 0) return {tensors_.checkpoint().packed ? 0 : spec.gated_heads, true};
  return {tensors_.permuted_heads(spec), false};
}

Result<const TensorSpec*> WeightLoader::spec(const std::string& name) const {
  if (const TensorSpec* const spec = tensors_.table().find(name)) return spec;
  return make_error(ErrorCode::kInternal, "tensor {} is not in the model's table", name);
}

Result<std::unique_ptr<compute::Weight>> WeightLoader::make(const TensorSpec& spec,
                                                            tensor::TensorView view) const {
  const std::int64_t out = spec.shape[0], in = *spec.shape.elements() / out;
  if (const auto& packed = tensors_.find(spec.name)->packed) {
    if (packed->out != out || packed->in != in) {
      return make_error(ErrorCode::kBadModel, "expected {} x {} values, found {} x {}", out, in,
                        packed->out, packed->in);
    }
    return backend_.map_weight(*packed, tensors_.checkpoint().packed->file);
  }
  std::vector<std::byte> ordered;
  if (const auto [heads, gated] = ordered_heads(spec); heads > 0) {
    ordered = ordered_rows(view.data, view.shape[0], heads, gated);
    view.data = ordered;
  }
  view.shape = {out, in};
  return backend_.make_weight(view, storage_type(spec.role, view.dtype, in, choice_));
}

Result<std::unique_ptr<compute::Weight>> WeightLoader::matrix(const std::string& name) const {
  if (stop_ && stop_()) return make_error(ErrorCode::kCancelled, "loading was cancelled");
  OCELLUS_ASSIGN_OR_RETURN(const TensorSpec* const row, spec(name));
  OCELLUS_ASSIGN_OR_RETURN(const tensor::TensorView view, tensors_.view(*row));
  const StoredTensor& stored = *tensors_.find(name);
  auto weight = make(*row, view);
  if (!weight) {
    return base::with_context(std::move(weight).error(),
                              tensors_.checkpoint().file_of(stored) + ": tensor " + stored.name);
  }
  if (sink_ != nullptr) {
    OCELLUS_RETURN_IF_ERROR(sink_->matrix(stored, **weight));
    weight->reset();
  }
  if (loaded_) loaded_(view.data.size());
  return weight;
}

Result<Linear> WeightLoader::linear(const std::string& name) const {
  Linear linear;
  OCELLUS_ASSIGN_OR_RETURN(linear.weight, matrix(name + ".weight"));
  if (tensors_.table().find(name + ".bias") != nullptr) {
    OCELLUS_ASSIGN_OR_RETURN(linear.bias, vector(name + ".bias"));
  }
  return linear;
}

Result<std::vector<float>> WeightLoader::vector(const std::string& name) const {
  OCELLUS_ASSIGN_OR_RETURN(const TensorSpec* const row, spec(name));
  OCELLUS_ASSIGN_OR_RETURN(const tensor::TensorView view, tensors_.view(*row));
  const StoredTensor& stored = *tensors_.find(name);
  const auto file = [&] { return tensors_.checkpoint().file_of(stored); };
  if (stored.packed) {
    return make_error(ErrorCode::kBadModel, "{}: tensor {}: expected values, found a packed matrix",
                      file(), stored.name);
  }
  if (!tensor::is_weight(view.dtype)) {
    return make_error(ErrorCode::kUnsupported, "{}: tensor {}: expected numbers, found {}", file(),
                      stored.name, tensor::dtype_name(view.dtype));
  }
  const std::int64_t count = *row->shape.elements();
  std::vector<float> values(static_cast<std::size_t>(count));
  tensor::dequantize(view.dtype, view.data.data(), count, values.data());
  if (const auto [heads, gated] = ordered_heads(*row); heads > 0) {
    const std::vector<std::byte> ordered =
        ordered_rows(std::as_bytes(std::span(values)), row->shape[0], heads, gated);
    std::memcpy(values.data(), ordered.data(), ordered.size());
  }
  if (sink_ != nullptr) OCELLUS_RETURN_IF_ERROR(sink_->vector(stored, values));
  if (loaded_) loaded_(view.data.size());
  return values;
}

Result<Norm> WeightLoader::norm(const std::string& name) const {
  Norm norm;
  OCELLUS_ASSIGN_OR_RETURN(norm.weight, vector(name + ".weight"));
  if (tensors_.table().find(name + ".bias") != nullptr) {
    OCELLUS_ASSIGN_OR_RETURN(norm.bias, vector(name + ".bias"));
  }
  return norm;
}

}  // namespace ocellus::models
