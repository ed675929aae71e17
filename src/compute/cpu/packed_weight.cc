#include "compute/cpu/packed_weight.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/result.h"
#include "compute/cpu/quant_panel.h"
#include "tensor/quant.h"

namespace ocellus::compute::cpu {
namespace {

using base::make_error;

bool can_hold(DType dtype) { return tensor::is_plain_float(dtype) || tensor::is_quantized(dtype); }

std::size_t bytes_of(DType dtype, std::int64_t values) {
  return static_cast<std::size_t>(values) / tensor::block_values(dtype) *
         tensor::block_bytes(dtype);
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

// To another plain type.
void convert_panel(DType from, const std::byte* source, std::int64_t rows, std::int64_t in,
                   DType to, std::byte* panel) {
  float line[kBlockK];  // a multiple of every block
  for (std::int64_t o = 0; o < rows; ++o) {
    for (std::int64_t k = 0; k < in; k += kBlockK) {
      const std::int64_t length = std::min<std::int64_t>(kBlockK, in - k);
      tensor::dequantize(from, source + bytes_of(from, o * in) + bytes_of(from, k), length, line);
      for (std::int64_t i = 0; i < length; ++i) write(to, panel, (k + i) * kPanel + o, line[i]);
    }
  }
}

// Block types: chunk after chunk; values of another type are rounded on the way.
void pack_chunks(DType from, const std::byte* source, std::int64_t rows, std::int64_t in, DType to,
                 std::byte* panel) {
  float line[kBlockK];
  std::byte blocks[kPanel * kBlockK * 2];  // no block type has more than 2 bytes a value
  for (std::int64_t k = 0; k < in; k += kBlockK) {
    const std::int64_t length = std::min<std::int64_t>(kBlockK, in - k);
    const std::byte* rows_of_chunk = source + bytes_of(from, k);
    std::size_t row_bytes = bytes_of(from, in);
    if (from != to) {
      for (std::int64_t row = 0; row < rows; ++row) {
        tensor::dequantize(from, rows_of_chunk + static_cast<std::size_t>(row) * row_bytes, length,
                           line);
        tensor::quantize(to, line, length,
                         blocks + static_cast<std::size_t>(row) * bytes_of(to, length));
      }
      rows_of_chunk = blocks;
      row_bytes = bytes_of(to, length);
    }
    pack_quant_chunk(to, rows_of_chunk, row_bytes, rows, length, panel);
    panel += quant_chunk_bytes(to, length);
  }
}

std::size_t bytes_of_panel(DType dtype, std::int64_t in) {
  if (!tensor::is_quantized(dtype)) return bytes_of(dtype, in * kPanel);
  return static_cast<std::size_t>(in / kBlockK) * quant_chunk_bytes(dtype, kBlockK) +
         quant_chunk_bytes(dtype, in % kBlockK);
}

}  // namespace

Element PackedWeight::element() const {
  return dtype_ == DType::kF16    ? Element::kF16
         : dtype_ == DType::kBF16 ? Element::kBF16
                                  : Element::kF32;
}

void PackedWeight::multiply(const Kernels& kernels, const Rows& x, std::int64_t panel,
                            std::int64_t k, std::int64_t length, float* scratch, float* c) const {
  const std::byte* const from = at(panel, k);
  const bool add = k > 0;
  Element held = element();
  const void* data = from;
  if (tensor::is_quantized(dtype_)) {
    const QuantChunk chunk = quant_chunk(dtype_, from, length);
    if (x.rows <= kDirectQuantRows && x.rows <= x.tile_rows)
      return kernels.tile_quant(x.at(0, k), static_cast<int>(x.rows), chunk, add, c);
    kernels.expand_quant(chunk, scratch);
    held = Element::kF32, data = scratch;
  } else if (held != Element::kF32 && x.rows > kDirectRows) {
    kernels.expand(held, from, length * kPanel, scratch);
    held = Element::kF32, data = scratch;
  }
  for (std::int64_t tile = 0; tile < x.tiles(); ++tile) {
    kernels.tile(x.at(tile, k), x.rows_of(tile), held, data, length, add,
                 c + tile * x.tile_rows * kPanel);
  }
}

void PackedWeight::row(const Kernels& kernels, std::int64_t o, float* out) const {
  const std::int64_t panel = o / kPanel, inside = o % kPanel;
  alignas(64) float chunk[kBlockK * kPanel];
  for (std::int64_t k = 0; k < in_; k += kBlockK) {
    const std::int64_t length = std::min<std::int64_t>(kBlockK, in_ - k);
    if (!tensor::is_quantized(dtype_)) {
      for (std::int64_t i = 0; i < length; ++i) out[k + i] = read(dtype_, at(panel, k + i), inside);
      continue;
    }
    kernels.expand_quant(quant_chunk(dtype_, at(panel, k), length), chunk);
    for (std::int64_t i = 0; i < length; ++i) out[k + i] = chunk[i * kPanel + inside];
  }
}

Result<std::unique_ptr<PackedWeight>> PackedWeight::pack(const tensor::TensorView& source,
                                                         DType dtype, ThreadPool& pool) {
  if (!can_hold(source.dtype) || !can_hold(dtype)) {
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
  const auto elements = source.shape.elements();
  if (!elements ||
      weight->in_ % static_cast<std::int64_t>(tensor::block_values(source.dtype)) != 0 ||
      weight->in_ % static_cast<std::int64_t>(tensor::block_values(dtype)) != 0 ||
      bytes_of(source.dtype, *elements) != source.data.size()) {
    return make_error(ErrorCode::kInvalidArgument, "shape {} of {} does not fit {} bytes",
                      source.shape.to_string(), tensor::dtype_name(source.dtype),
                      source.data.size());
  }
  const std::int64_t panels = weight->panels(), in = weight->in_, out = weight->out_;
  const std::size_t panel_bytes = bytes_of_panel(dtype, in);
  weight->panel_bytes_ = panel_bytes;
  weight->chunk_bytes_ = tensor::is_quantized(dtype) ? quant_chunk_bytes(dtype, kBlockK) : 0;
  const auto bytes = base::checked_mul(static_cast<std::size_t>(panels), panel_bytes);
  if (!bytes)
    return make_error(ErrorCode::kOutOfMemory, "a weight of shape {} is too large",
                      source.shape.to_string());
  OCELLUS_ASSIGN_OR_RETURN(weight->buffer_, base::AlignedBuffer::make(*bytes));
  pool.run(panels, [&](std::int64_t p, int) {
    std::byte* const panel = weight->buffer_.data() + static_cast<std::size_t>(p) * panel_bytes;
    const std::byte* const rows = source.data.data() + bytes_of(source.dtype, p * kPanel * in);
    const std::int64_t count = std::min<std::int64_t>(kPanel, out - p * kPanel);
    if (count < kPanel) std::memset(panel, 0, panel_bytes);
    if (tensor::is_quantized(dtype)) {
      pack_chunks(source.dtype, rows, count, in, dtype, panel);
    } else if (source.dtype != dtype) {
      convert_panel(source.dtype, rows, count, in, dtype, panel);
    } else if (dtype == DType::kF32) {
      transpose_panel<std::uint32_t>(rows, count, in, panel);
    } else {
      transpose_panel<std::uint16_t>(rows, count, in, panel);
    }
  });
  return weight;
}

}  // namespace ocellus::compute::cpu
