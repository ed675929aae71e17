#include "compute/cpu/expanded_weight.h"

#include <algorithm>
#include <array>

#include "base/checked.h"
#include "base/result.h"
#include "tensor/quant.h"

namespace ocellus::compute::cpu {
namespace {

using base::make_error;
using tensor::DType;

constexpr std::int64_t kPart = 256;  // values at a time: a multiple of every block

bool holds_floats(DType dtype) {
  return tensor::is_plain_float(dtype) || tensor::is_quantized(dtype);
}

std::size_t bytes_of(DType dtype, std::int64_t values) {
  return static_cast<std::size_t>(values) / tensor::block_values(dtype) *
         tensor::block_bytes(dtype);
}

bool whole_blocks(DType dtype, std::int64_t in) {
  return in % static_cast<std::int64_t>(tensor::block_values(dtype)) == 0;
}

}  // namespace

Result<base::AlignedBuffer> expand_rounded(const tensor::TensorView& source, DType dtype,
                                           ThreadPool& pool) {
  if (!holds_floats(source.dtype) || !holds_floats(dtype)) {
    return make_error(ErrorCode::kUnsupported, "weights of type {} cannot be rounded to {}",
                      tensor::dtype_name(source.dtype), tensor::dtype_name(dtype));
  }
  const auto elements = source.shape.elements();
  if (source.shape.rank() != 2 || !elements || !whole_blocks(source.dtype, source.shape[1]) ||
      !whole_blocks(dtype, source.shape[1]) ||
      bytes_of(source.dtype, *elements) != source.data.size()) {
    return make_error(ErrorCode::kInvalidArgument, "shape {} of {} does not fit {} bytes",
                      source.shape.to_string(), tensor::dtype_name(source.dtype),
                      source.data.size());
  }
  const auto bytes = base::checked_mul(static_cast<std::size_t>(*elements), sizeof(float));
  if (!bytes)
    return make_error(ErrorCode::kOutOfMemory, "a weight of shape {} is too large",
                      source.shape.to_string());
  OCELLUS_ASSIGN_OR_RETURN(base::AlignedBuffer values, base::AlignedBuffer::make(*bytes));
  const std::int64_t in = source.shape[1];
  const std::span<float> all = values.as<float>();
  pool.run(source.shape[0], [&](std::int64_t row, int) {
    const std::byte* const from = source.data.data() + bytes_of(source.dtype, row * in);
    float* const to = all.data() + row * in;
    tensor::dequantize(source.dtype, from, in, to);
    if (source.dtype == dtype) return;  // as the file has them: rounding twice is not rounding once
    std::array<std::byte, kPart * sizeof(float)> blocks;
    for (std::int64_t k = 0; k < in; k += kPart) {
      const std::int64_t length = std::min(kPart, in - k);
      tensor::quantize(dtype, to + k, length, blocks.data());
      tensor::dequantize(dtype, blocks.data(), length, to + k);
    }
  });
  return values;
}

}  // namespace ocellus::compute::cpu
