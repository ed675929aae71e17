// Scratch matrices that are made once and used again.
#pragma once

#include <cstdint>

#include "base/aligned_buffer.h"
#include "ocellus/error.h"
#include "tensor/view.h"

namespace ocellus::models {

// A grow-only f32 matrix. One thread.
class MatrixBuffer {
 public:
  // Contents are undefined after a change of shape; rows begin at cache lines. kOutOfMemory.
  Result<tensor::Matrix> shape(std::int64_t rows, std::int64_t cols);

 private:
  base::AlignedBuffer buffer_;
};

}  // namespace ocellus::models
