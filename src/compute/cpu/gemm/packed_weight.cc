#include "compute/cpu/gemm/packed_weight.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/result.h"
#include "compute/cpu/quant/quant_panel.h"
#include "tensor/quant.h"

namespace ocellus::compute::cpu {
namespace {

using base::make_error;
using tensor::bytes_of;
using tensor::may_end_inside;
using tensor::whole_blocks;

// Beyond any model; sizes of a panel cannot overflow below it.
constexpr std::int64_t kMaxSide = std::int64_t{1} << 31;

// Up to 32 rows of a matrix.
struct SourceRows {
  DType dtype;
  const std::byte* data;
  std::int64_t rows, in;
};

// Transposes rows into one panel of the same type, `pair` values of k together.
template <typename Bits>
void transpose_panel(const SourceRows& source, std::int64_t pair, std::byte* panel) {
  const std::int64_t in = source.in;
  constexpr std::int64_t kStrip =
      64;  // 64 x 32 values of the panel stay in the L1 while 32 rows are read
  for (std::int64_t first = 0; first < in; first += kStrip) {
    const std::int64_t last = std::min(in, first + kStrip);
    for (std::int64_t o = 0; o < source.rows; ++o) {
      const std::byte* row = source.data + static_cast<std::size_t>(o * in) * sizeof(Bits);
      for (std::int64_t k = first; k < last; ++k) {
        const std::int64_t at = (k / pair * kPanel + o) * pair + k % pair;
        std::memcpy(panel + static_cast<std::size_t>(at) * sizeof(Bits),
                    row + static_cast<std::size_t>(k) * sizeof(Bits), sizeof(Bits));
      }
    }
  }
}

void convert_panel(const SourceRows& source, DType to, std::int64_t pair, std::byte* panel) {
  const DType from = source.dtype;
  const std::int64_t in = source.in;
  float line[kBlockK];  // a multiple of every block
  std::byte narrow[kBlockK * sizeof(float)];
  const std::size_t size = tensor::block_bytes(to);
  for (std::int64_t o = 0; o < source.rows; ++o) {
    for (std::int64_t k = 0; k < in; k += kBlockK) {
      const std::int64_t length = std::min<std::int64_t>(kBlockK, in - k);
      tensor::dequantize(from, source.data + bytes_of(from, o * in) + bytes_of(from, k), length,
                         line);
      tensor::quantize(to, line, length, narrow);
      for (std::int64_t i = 0; i < length; ++i) {
        const std::int64_t at = ((k + i) / pair * kPanel + o) * pair + (k + i) % pair;
        std::memcpy(panel + static_cast<std::size_t>(at) * size,
                    narrow + static_cast<std::size_t>(i) * size, size);
      }
    }
  }
}

// Block types, chunk by chunk; values of another type are rounded.
void pack_chunks(const SourceRows& source, DType to, std::byte* panel) {
  const DType from = source.dtype;
  const std::int64_t in = source.in;
  float line[kBlockK];
  std::byte blocks[kPanel * kBlockK * 2];  // no block type has more than 2 bytes a value
  for (std::int64_t k = 0; k < in; k += kBlockK) {
    const std::int64_t length = std::min<std::int64_t>(kBlockK, in - k),
                       padded = (length + kSubBlock - 1) / kSubBlock * kSubBlock;
    const std::byte* rows_of_chunk = source.data + bytes_of(from, k);
    std::size_t row_bytes = bytes_of(from, in);
    if (from != to) {
      std::fill(line + length, line + kBlockK, 0.0f);
      const auto block = static_cast<std::int64_t>(tensor::block_values(to));
      const std::int64_t whole = (length + block - 1) / block * block;
      for (std::int64_t row = 0; row < source.rows; ++row) {
        tensor::dequantize(from, rows_of_chunk + static_cast<std::size_t>(row) * row_bytes, length,
                           line);
        tensor::quantize(to, line, whole,
                         blocks + static_cast<std::size_t>(row) * bytes_of(to, whole));
      }
      rows_of_chunk = blocks;
      row_bytes = bytes_of(to, whole);
    }
    pack_quant_chunk(to, rows_of_chunk, row_bytes, source.rows, padded, panel);
    panel += quant_chunk_bytes(to, padded);
  }
}

}  // namespace

Element PackedWeight::element() const {
  return dtype_ == DType::kF16    ? Element::kF16
         : dtype_ == DType::kBF16 ? Element::kBF16
                                  : Element::kF32;
}

void PackedWeight::pack_panel(const tensor::TensorView& source, std::int64_t number) {
  std::byte* const to = buffer_.data() + static_cast<std::size_t>(number) * panel_bytes_;
  const std::byte* const first = source.data.data() + bytes_of(source.dtype, number * kPanel * in_);
  const std::int64_t count = std::min<std::int64_t>(kPanel, out_ - number * kPanel);
  const SourceRows rows{source.dtype, first, count, in_};
  const std::int64_t pair = layout_ == PanelLayout::kBf16Pairs ? 2 : 1;
  if (layout_ == PanelLayout::kQuant) {
    pack_chunks(rows, dtype_, to);
    return;
  }
  if (count < kPanel || in_ % pair != 0) std::memset(to, 0, panel_bytes_);
  if (source.dtype != dtype_) {
    convert_panel(rows, dtype_, pair, to);
  } else if (dtype_ == DType::kF32) {
    transpose_panel<std::uint32_t>(rows, pair, to);
  } else {
    transpose_panel<std::uint16_t>(rows, pair, to);
  }
}

Result<std::unique_ptr<PackedWeight>> PackedWeight::pack(const tensor::TensorView& source,
                                                         DType dtype, bool bf16_pairs,
                                                         ThreadPool& pool) {
  if (!tensor::is_weight(source.dtype) || !tensor::is_weight(dtype)) {
    return make_error(ErrorCode::kUnsupported, "weight: {} cannot be stored as {}",
                      tensor::dtype_name(source.dtype), tensor::dtype_name(dtype));
  }
  if (source.shape.rank() != 2 || source.shape[0] < 1 || source.shape[1] < 1) {
    return make_error(ErrorCode::kInvalidArgument, "weight: expected shape [out, in], found {}",
                      source.shape.to_string());
  }
  const std::int64_t in = source.shape[1];
  const auto elements = source.shape.elements();
  const bool same_rows =
      whole_blocks(dtype, in) || (may_end_inside(dtype) && source.dtype != dtype);
  if (!elements || !whole_blocks(source.dtype, in) || !same_rows ||
      bytes_of(source.dtype, *elements) != source.data.size()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "weight: shape {} as {} does not fit {} bytes of {}",
                      source.shape.to_string(), tensor::dtype_name(dtype), source.data.size(),
                      tensor::dtype_name(source.dtype));
  }
  OCELLUS_ASSIGN_OR_RETURN(auto described, describe(source.shape[0], in, dtype, bf16_pairs));
  std::unique_ptr<PackedWeight> weight = std::move(described.first);
  OCELLUS_ASSIGN_OR_RETURN(weight->buffer_, base::AlignedBuffer::make(described.second));
  weight->data_ = weight->buffer_.bytes();
  pool.run(weight->panels(), [&](std::int64_t number, int) { weight->pack_panel(source, number); });
  return weight;
}

Result<std::pair<std::unique_ptr<PackedWeight>, std::size_t>> PackedWeight::describe(
    std::int64_t out, std::int64_t in, DType dtype, bool bf16_pairs) {
  if (out < 1 || in < 1 || out > kMaxSide || in > kMaxSide) {
    return make_error(ErrorCode::kOutOfMemory,
                      "weight: {} x {} values are too many: expected at most 2^31 a side", out, in);
  }
  auto weight = std::make_unique<PackedWeight>();
  weight->out_ = out;
  weight->in_ = in;
  weight->dtype_ = dtype;
  if (tensor::is_quantized(dtype)) {
    weight->layout_ = PanelLayout::kQuant;
    weight->chunk_bytes_ = quant_chunk_bytes(dtype, kBlockK);
    weight->panel_bytes_ = static_cast<std::size_t>(in / kBlockK) * weight->chunk_bytes_ +
                           quant_chunk_bytes(dtype, weight->padded_in() % kBlockK);
    // in % 256 above 224 fills a whole chunk once padded.
    if (weight->padded_in() / kBlockK > in / kBlockK) weight->panel_bytes_ += weight->chunk_bytes_;
  } else if (dtype == DType::kBF16 && bf16_pairs) {
    weight->layout_ = PanelLayout::kBf16Pairs;
    weight->panel_bytes_ = bytes_of(dtype, (in + 1) / 2 * 2 * kPanel);
  } else {
    weight->panel_bytes_ = bytes_of(dtype, in * kPanel);
  }
  const auto bytes =
      base::checked_mul(static_cast<std::size_t>(weight->panels()), weight->panel_bytes_);
  if (!bytes) {
    return make_error(ErrorCode::kOutOfMemory,
                      "weight: {} x {} values are too many: expected at most 2^31 a side", out, in);
  }
  return std::pair(std::move(weight), *bytes);
}

Result<std::unique_ptr<PackedWeight>> PackedWeight::map(const PackedWeightView& image,
                                                        std::shared_ptr<const void> owner) {
  const DType dtype = image.format.dtype;
  const bool bf16_pairs = image.format.arithmetic == Arithmetic::kReducedPrecision;
  if (!tensor::is_weight(dtype) || (bf16_pairs && dtype != DType::kBF16)) {
    return make_error(ErrorCode::kUnsupported,
                      "packed weight: {}{} is not a type of packed weights",
                      tensor::dtype_name(dtype), bf16_pairs ? " in reduced precision" : "");
  }
  if (!whole_blocks(dtype, image.in) && !may_end_inside(dtype)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "packed weight: rows of {} values are not whole blocks of {}", image.in,
                      tensor::dtype_name(dtype));
  }
  OCELLUS_ASSIGN_OR_RETURN(auto described, describe(image.out, image.in, dtype, bf16_pairs));
  if (described.second != image.bytes.size()) {
    return make_error(ErrorCode::kInvalidArgument,
                      "packed weight: {} x {} values of {}: expected {} bytes, found {}", image.out,
                      image.in, tensor::dtype_name(dtype), described.second, image.bytes.size());
  }
  if (reinterpret_cast<std::uintptr_t>(image.bytes.data()) % base::AlignedBuffer::kAlignment != 0) {
    return make_error(ErrorCode::kInvalidArgument,
                      "packed weight: expected an address that is a multiple of {}",
                      base::AlignedBuffer::kAlignment);
  }
  described.first->data_ = image.bytes;
  described.first->owner_ = std::move(owner);
  return std::move(described.first);
}

PackedWeightView PackedWeight::packed_view() const {
  const bool bf16_pairs = layout_ == PanelLayout::kBf16Pairs;
  return {.format = {dtype_, bf16_pairs ? Arithmetic::kReducedPrecision : Arithmetic::kF32},
          .out = out_,
          .in = in_,
          .bytes = data_};
}

}  // namespace ocellus::compute::cpu
