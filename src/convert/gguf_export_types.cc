#include <optional>

#include "convert/gguf_export.h"
#include "tensor/weight_types.h"

namespace ocellus::convert {
namespace {

using tensor::DType;

DType fitting(DType type, std::int64_t row) {
  while (!tensor::whole_blocks(type, row)) type = tensor::weight_type(type).smaller_blocks;
  return type;
}

}  // namespace

DType exported_type(std::optional<models::TensorRole> role, DType stored,
                    const tensor::Shape& shape, DType requested) {
  using models::TensorRole;
  if (!tensor::is_plain_float(stored) && !tensor::is_quantized(stored)) return stored;
  if (shape.rank() < 2 || role == TensorRole::kPositions) return DType::kF32;
  // A convolution's kernel: f32 and f16 are what other engines convolve with.
  if (role == TensorRole::kPatches)
    return requested == DType::kF32 || requested == DType::kBF16 ? DType::kF32 : DType::kF16;
  if (role == TensorRole::kProjector && tensor::is_quantized(requested)) return DType::kF16;
  // Every token goes through these two: what is lost here, all of them lose.
  const bool embedding = role == TensorRole::kTokenEmbedding || role == TensorRole::kHead;
  if (embedding && tensor::is_quantized(requested) && requested != DType::kQ8_0)
    requested = DType::kQ6_K;
  return fitting(requested, shape[shape.rank() - 1]);
}

}  // namespace ocellus::convert
