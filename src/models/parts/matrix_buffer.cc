#include "models/parts/matrix_buffer.h"

#include "base/result.h"

namespace ocellus::models {

Result<tensor::Matrix> MatrixBuffer::shape(std::int64_t rows, std::int64_t cols) {
  // Rows a power of two apart would share the few lines of one cache set: an odd number of lines
  // between them spreads them out.
  constexpr std::int64_t kLine = 16;  // f32 in 64 bytes
  const std::int64_t stride = ((cols + kLine - 1) / kLine | 1) * kLine;
  const std::size_t bytes =
      static_cast<std::size_t>(rows) * static_cast<std::size_t>(stride) * sizeof(float);
  if (buffer_.size() < bytes) {
    buffer_ = {};  // first give back, then ask: the peak is one buffer, not two
    OCELLUS_ASSIGN_OR_RETURN(buffer_, base::AlignedBuffer::make(bytes));
  }
  return tensor::Matrix{buffer_.as<float>().data(), rows, cols, stride};
}

}  // namespace ocellus::models
