// What rounding a weight to a type does to its values, without the type's arithmetic.
#pragma once

#include "base/aligned_buffer.h"
#include "compute/cpu/pool/thread_pool.h"
#include "tensor/view.h"

namespace ocellus::compute::cpu {

// The values of `source` [out, in] rounded to `dtype`, as f32 [out, in] row-major: bit for bit
// those of tensor::quantize() and tensor::dequantize(); the source's own where it has that type.
// kInvalidArgument when rows are no whole blocks of both types (but q8 and q4, which may end inside
// one) or the bytes do not fit the shape; kUnsupported for types that are no weights; kOutOfMemory.
Result<base::AlignedBuffer> expand_rounded(const tensor::TensorView& source, tensor::DType dtype,
                                           ThreadPool& pool);

}  // namespace ocellus::compute::cpu
