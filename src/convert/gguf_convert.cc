#include "convert/gguf_convert.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/result.h"
#include "tensor/quant.h"

namespace ocellus::convert {
namespace {

using base::make_error;
using tensor::bytes_of;
using tensor::DType;

constexpr std::int64_t kLine = 1024;  // values at a time; a multiple of every block
constexpr std::int64_t kSliceValues = std::int64_t{4} << 20;
constexpr std::int64_t kTaskValues = std::int64_t{32} << 10;  // enough work to be worth handing out

// The largest magnitude that a type takes. Block types have f16 scales, of values or their sums.
float limit_of(DType type) {
  return type == DType::kF32    ? std::numeric_limits<float>::max()
         : type == DType::kBF16 ? 0x1.FEp127f
                                : 65504.0f;
}

// The reference's row that is row `row` of the file: see unpermuted() in weight_loader.cc.
std::int64_t source_row(std::int64_t row, std::int64_t half) {
  const std::int64_t head = row / (2 * half), inside = row % (2 * half);
  return head * 2 * half + inside % 2 * half + inside / 2;
}

// Rows of one tensor, from its type to another. The largest magnitude seen is returned; infinity
// for what is not finite.
float convert_row(const tensor::TensorView& source, std::int64_t row, std::int64_t cols, DType type,
                  std::byte* to) {
  const std::byte* from = source.data.data() + bytes_of(source.dtype, row * cols);
  float line[kLine], most = 0;
  for (std::int64_t i = 0; i < cols; i += kLine) {
    const std::int64_t n = std::min(kLine, cols - i);
    tensor::dequantize(source.dtype, from + bytes_of(source.dtype, i), n, line);
    for (std::int64_t k = 0; k < n; ++k) {
      const float magnitude = std::fabs(line[k]);
      most = magnitude <= most ? most : std::isnan(magnitude) ? INFINITY : magnitude;
    }
    tensor::quantize(type, line, n, to + bytes_of(type, i));
  }
  return most;
}

// The same for a row whose values or their order change, which are plain floats.
float convert_values(const ExportTensor& t, std::int64_t row, std::int64_t cols, std::byte* to) {
  const std::byte* const from = t.source.data.data() + bytes_of(t.source.dtype, row * cols);
  std::vector<float> line(static_cast<std::size_t>(cols));
  const std::int64_t unit = t.tiles.columns ? t.tiles.unit : cols;
  for (std::int64_t i = 0; i * unit < cols; ++i) {
    const std::int64_t at = (t.tiles.columns ? t.tiles.head_at(i) : i) * unit;
    tensor::dequantize(t.source.dtype, from + bytes_of(t.source.dtype, at), unit,
                       line.data() + i * unit);
  }
  float most = 0;
  for (float& value : line) {
    if (t.values == models::GgufValues::kPlusOne) value += 1;
    if (t.values == models::GgufValues::kNegativeExp) value = -std::exp(value);
    most = std::isnan(value) ? INFINITY : std::max(most, std::fabs(value));
  }
  tensor::quantize(t.type, line.data(), cols, to);
  return most;
}

class Converter {
 public:
  Converter(compute::Pool& pool, const formats::GgufWriter::Sink& sink,
            const models::StopCheck& stop)
      : pool_(pool), sink_(sink), stop_(stop) {}

  Status convert(const ExportTensor& t) {
    const tensor::Shape& shape = t.source.shape;
    const std::int64_t cols = shape.rank() == 0 ? 1 : shape[shape.rank() - 1];
    const std::int64_t rows = *shape.elements() / cols;
    // One value a row, for a vector whose values are permuted.
    const bool ordered = t.permute_heads > 0 || (t.tiles.k_heads > 0 && !t.tiles.columns);
    return shape.rank() == 1 && ordered ? convert(t, cols, 1) : convert(t, rows, cols);
  }

 private:
  Status convert(const ExportTensor& t, std::int64_t rows, std::int64_t cols) {
    const std::size_t row_bytes = bytes_of(t.type, cols);
    const std::int64_t slice = std::max<std::int64_t>(1, kSliceValues / cols),
                       task = std::max<std::int64_t>(1, kTaskValues / cols);
    for (std::int64_t first = 0; first < rows; first += slice) {
      if (stop_ && stop_()) return make_error(ErrorCode::kCancelled, "writing was cancelled");
      const std::int64_t count = std::min(slice, rows - first);
      buffer_.resize(static_cast<std::size_t>(count) * row_bytes);
      std::atomic<float> most = 0;
      pool_.run((count + task - 1) / task, [&](std::int64_t number, int) {
        const std::int64_t end = std::min(count, (number + 1) * task);
        float largest = 0;
        for (std::int64_t i = number * task; i < end; ++i)
          largest = std::max(largest, row(t, rows, first + i, cols, i * row_bytes));
        float known = most.load();
        while (largest > known && !most.compare_exchange_weak(known, largest)) {
        }
      });
      OCELLUS_RETURN_IF_ERROR(check(t, most));
      OCELLUS_RETURN_IF_ERROR(sink_(buffer_));
    }
    return {};
  }

  float row(const ExportTensor& t, std::int64_t rows, std::int64_t row, std::int64_t cols,
            std::size_t at) {
    std::int64_t from = t.permute_heads > 0 ? source_row(row, rows / t.permute_heads / 2) : row;
    if (t.frames > 1) {
      const std::int64_t height = t.source.shape[2];
      from = (row / height * t.frames + t.frame) * height + row % height;
    }
    if (t.tiles.k_heads > 0 && !t.tiles.columns && row >= t.tiles.first_row) {
      const std::int64_t inside = row - t.tiles.first_row, unit = t.tiles.unit;
      from = t.tiles.first_row + t.tiles.head_at(inside / unit) * unit + inside % unit;
    }
    std::byte* const to = buffer_.data() + at;
    if (t.tiles.columns || t.values != models::GgufValues::kSame)
      return convert_values(t, from, cols, to);
    if (t.source.dtype != t.type) return convert_row(t.source, from, cols, t.type, to);
    const std::size_t bytes = bytes_of(t.type, cols);
    std::memcpy(to, t.source.data.data() + static_cast<std::size_t>(from) * bytes, bytes);
    return 0;
  }

  static Status check(const ExportTensor& t, float most) {
    if (most <= limit_of(t.type)) return {};
    if (std::isinf(most)) {
      return make_error(ErrorCode::kBadModel, "tensor {}: expected finite values, found another",
                        t.name);
    }
    return make_error(ErrorCode::kBadModel,
                      "tensor {}: expected at most {}, the largest {}, found {}: try bf16", t.name,
                      limit_of(t.type), tensor::dtype_name(t.type), most);
  }

  compute::Pool& pool_;
  const formats::GgufWriter::Sink& sink_;
  const models::StopCheck& stop_;
  std::vector<std::byte> buffer_;
};

}  // namespace

Status write_export(const GgufExport& file, compute::Pool& pool,
                    const formats::GgufWriter::Sink& out, const models::StopCheck& stop,
                    const std::function<void(const ExportTensor&)>& done) {
  return file.writer.write(out,
                           [&](std::size_t index, const formats::GgufWriter::Sink& sink) -> Status {
                             const ExportTensor& tensor = file.tensors[index];
                             OCELLUS_RETURN_IF_ERROR(Converter(pool, sink, stop).convert(tensor));
                             if (done) done(tensor);
                             return {};
                           });
}

}  // namespace ocellus::convert
