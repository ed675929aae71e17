#include "models/weight_loader.h"

#include <cstring>

#include "base/result.h"

namespace ocellus::models {
namespace {

// One value of a stored tensor, whatever its alignment.
float read_value(const tensor::TensorView& view, std::size_t i) {
  if (view.dtype == tensor::DType::kF32) {
    float value;
    std::memcpy(&value, view.data.data() + 4 * i, 4);
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, view.data.data() + 2 * i, 2);
  return view.dtype == tensor::DType::kF16 ? tensor::f16_to_f32(bits) : tensor::bf16_to_f32(bits);
}

bool is_float(tensor::DType dtype) {
  return dtype == tensor::DType::kF32 || dtype == tensor::DType::kF16 ||
         dtype == tensor::DType::kBF16;
}

}  // namespace

Result<std::unique_ptr<compute::Weight>> WeightLoader::matrix(const std::string& name,
                                                              const tensor::Shape& stored_shape,
                                                              std::int64_t out,
                                                              std::int64_t in) const {
  if (stop_ && stop_()) return base::make_error(ErrorCode::kCancelled, "loading was cancelled");
  OCELLUS_ASSIGN_OR_RETURN(tensor::TensorView view, checkpoint_.tensor(name, stored_shape));
  view.shape = {out, in};
  auto weight = backend_.make_weight(view, dtype_.value_or(view.dtype));
  if (!weight) return base::with_context(std::move(weight).error(), name);
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
  if (!is_float(view.dtype)) {
    return base::make_error(ErrorCode::kUnsupported,
                            "tensor {}: expected f32, f16 or bf16, found {}", name,
                            tensor::dtype_name(view.dtype));
  }
  std::vector<float> values(static_cast<std::size_t>(*shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = read_value(view, i);
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

Result<compute::Matrix> MatrixBuffer::shape(std::int64_t rows, std::int64_t cols) {
  const std::size_t bytes =
      static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) * sizeof(float);
  if (buffer_.size() < bytes) {
    buffer_ = {};  // first give back, then ask: the peak is one buffer, not two
    OCELLUS_ASSIGN_OR_RETURN(buffer_, base::AlignedBuffer::make(bytes));
  }
  return compute::Matrix{buffer_.as<float>().data(), rows, cols, cols};
}

}  // namespace ocellus::models
