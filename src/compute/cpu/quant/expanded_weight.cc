#include "compute/cpu/quant/expanded_weight.h"

#include <algorithm>
#include <array>

#include "base/checked.h"
#include "base/result.h"
#include "tensor/quant.h"

namespace ocellus::compute::cpu {
namespace {

using base::make_error;
using tensor::bytes_of;
using tensor::DType;
using tensor::may_end_inside;
using tensor::whole_blocks;

constexpr std::int64_t kPart = 256;  // values at a time: a multiple of every block

// `length` <= kPart values; the last block is filled with zeros.
void round_values(DType dtype, std::int64_t length, float* values) {
  const auto block = static_cast<std::int64_t>(tensor::block_values(dtype));
  const std::int64_t whole = (length + block - 1) / block * block;
  std::array<float, kPart> line{};
  std::array<std::byte, kPart * sizeof(float)> blocks;
  std::copy_n(values, length, line.data());
  tensor::quantize(dtype, line.data(), whole, blocks.data());
  tensor::dequantize(dtype, blocks.data(), whole, line.data());
  std::copy_n(line.data(), length, values);
}

}  // namespace

Result<base::AlignedBuffer> expand_rounded(const tensor::TensorView& source, DType dtype,
                                           ThreadPool& pool) {
  if (!tensor::is_weight(source.dtype) || !tensor::is_weight(dtype)) {
    return make_error(ErrorCode::kUnsupported, "weight: {} cannot be rounded to {}",
                      tensor::dtype_name(source.dtype), tensor::dtype_name(dtype));
  }
  const auto elements = source.shape.elements();
  if (source.shape.rank() != 2 || !elements || !whole_blocks(source.dtype, source.shape[1]) ||
      !(whole_blocks(dtype, source.shape[1]) || (may_end_inside(dtype) && source.dtype != dtype)) ||
      bytes_of(source.dtype, *elements) != source.data.size()) {
    return make_error(ErrorCode::kInvalidArgument, "weight: shape {} of {} does not fit {} bytes",
                      source.shape.to_string(), tensor::dtype_name(source.dtype),
                      source.data.size());
  }
  const auto bytes = base::checked_mul(static_cast<std::size_t>(*elements), sizeof(float));
  if (!bytes)
    return make_error(ErrorCode::kOutOfMemory, "weight: shape {} has too many values",
                      source.shape.to_string());
  OCELLUS_ASSIGN_OR_RETURN(base::AlignedBuffer values, base::AlignedBuffer::make(*bytes));
  const std::int64_t in = source.shape[1];
  const std::span<float> all = values.as<float>();
  pool.run(source.shape[0], [&](std::int64_t row, int) {
    const std::byte* const from = source.data.data() + bytes_of(source.dtype, row * in);
    float* const to = all.data() + row * in;
    tensor::dequantize(source.dtype, from, in, to);
    if (source.dtype == dtype) return;  // as the file has them: the k types would round again
    for (std::int64_t k = 0; k < in; k += kPart)
      round_values(dtype, std::min(kPart, in - k), to + k);
  });
  return values;
}

}  // namespace ocellus::compute::cpu
