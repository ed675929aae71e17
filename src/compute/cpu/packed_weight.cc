#include "compute/cpu/packed_weight.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/result.h"

namespace ocellus::compute::cpu {
namespace {

using base::make_error;

bool is_float(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

// Value i of unaligned memory.
float read(DType dtype, const std::byte* from, std::int64_t i) {
  if (dtype == DType::kF32) {
    float value;
    std::memcpy(&value, from + 4 * i, sizeof(value));
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, from + 2 * i, sizeof(bits));
  return dtype == DType::kF16 ? tensor::f16_to_f32(bits) : tensor::bf16_to_f32(bits);
}

void write(DType dtype, std::byte* to, std::int64_t i, float value) {
  if (dtype == DType::kF32) {
    std::memcpy(to + 4 * i, &value, sizeof(value));
    return;
  }
  const std::uint16_t bits =
      dtype == DType::kF16 ? tensor::f32_to_f16(value) : tensor::f32_to_bf16(value);
  std::memcpy(to + 2 * i, &bits, sizeof(bits));
}

// Transposes `rows` <= 32 rows of the source into one panel; the type stays, so values are only
// moved.
template <typename Bits>
void transpose_panel(const std::byte* source, std::int64_t rows, std::int64_t in,
                     std::byte* panel) {
  constexpr std::int64_t kStrip =
      64;  // 64 x 32 values of the panel stay in the L1 while 32 rows are read
  for (std::int64_t first = 0; first < in; first += kStrip) {
    const std::int64_t last = std::min(in, first + kStrip);
    for (std::int64_t o = 0; o < rows; ++o) {
      const std::byte* row = source + static_cast<std::size_t>(o * in) * sizeof(Bits);
      for (std::int64_t k = first; k < last; ++k) {
        std::memcpy(panel + static_cast<std::size_t>(k * kPanel + o) * sizeof(Bits),
                    row + static_cast<std::size_t>(k) * sizeof(Bits), sizeof(Bits));
      }
    }
  }
}

void convert_panel(DType from, const std::byte* source, std::int64_t rows, std::int64_t in,
                   DType to, std::byte* panel) {
  for (std::int64_t o = 0; o < rows; ++o) {
    for (std::int64_t k = 0; k < in; ++k)
      write(to, panel, k * kPanel + o, read(from, source, o * in + k));
  }
}

}  // namespace

Element PackedWeight::element() const {
  return dtype_ == DType::kF16    ? Element::kF16
         : dtype_ == DType::kBF16 ? Element::kBF16
                                  : Element::kF32;
}

float PackedWeight::value(std::int64_t o, std::int64_t i) const {
  return read(dtype_, at(o / kPanel, i), o % kPanel);
}

Result<std::unique_ptr<PackedWeight>> PackedWeight::pack(const tensor::TensorView& source,
                                                         DType dtype, ThreadPool& pool) {
  if (!is_float(source.dtype) || !is_float(dtype)) {
    return make_error(ErrorCode::kUnsupported, "weights of type {} cannot be held as {}",
                      tensor::dtype_name(source.dtype), tensor::dtype_name(dtype));
  }
  if (source.shape.rank() != 2 || source.shape[0] < 1 || source.shape[1] < 1) {
    return make_error(ErrorCode::kInvalidArgument, "expected a matrix [out, in], found shape {}",
                      source.shape.to_string());
  }
  auto weight = std::make_unique<PackedWeight>();
  weight->out_ = source.shape[0];
  weight->in_ = source.shape[1];
  weight->dtype_ = dtype;
  const std::size_t from_size = tensor::block_bytes(source.dtype),
                    to_size = tensor::block_bytes(dtype);
  const auto elements = source.shape.elements();
  if (!elements || static_cast<std::size_t>(*elements) * from_size != source.data.size()) {
    return make_error(ErrorCode::kInvalidArgument, "shape {} of {} does not fit {} bytes",
                      source.shape.to_string(), tensor::dtype_name(source.dtype),
                      source.data.size());
  }
  const std::int64_t panels = weight->panels(), in = weight->in_, out = weight->out_;
  const std::size_t panel_bytes = static_cast<std::size_t>(in * kPanel) * to_size;
  const auto bytes = base::checked_mul(static_cast<std::size_t>(panels), panel_bytes);
  if (!bytes)
    return make_error(ErrorCode::kOutOfMemory, "a weight of shape {} is too large",
                      source.shape.to_string());
  OCELLUS_ASSIGN_OR_RETURN(weight->buffer_, base::AlignedBuffer::make(*bytes));
  pool.run(panels, [&](std::int64_t p, int) {
    std::byte* const panel = weight->buffer_.data() + static_cast<std::size_t>(p) * panel_bytes;
    const std::byte* const rows =
        source.data.data() + static_cast<std::size_t>(p * kPanel * in) * from_size;
    const std::int64_t count = std::min<std::int64_t>(kPanel, out - p * kPanel);
    if (count < kPanel) std::memset(panel, 0, panel_bytes);
    if (source.dtype != dtype) {
      convert_panel(source.dtype, rows, count, in, dtype, panel);
    } else if (to_size == 4) {
      transpose_panel<std::uint32_t>(rows, count, in, panel);
    } else {
      transpose_panel<std::uint16_t>(rows, count, in, panel);
    }
  });
  return weight;
}

}  // namespace ocellus::compute::cpu
