// Views of tensors: shape, type and borrowed memory. No arithmetic, no ownership.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

#include "tensor/dtype.h"

namespace ocellus::tensor {

// Up to eight dimensions, outermost first. Value type.
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);
  // Nothing when there are more than kMaxRank dimensions or one is negative.
  static std::optional<Shape> from(std::span<const std::int64_t> dims);

  std::size_t rank() const { return rank_; }
  std::int64_t operator[](std::size_t i) const { return dims_[i]; }
  std::span<const std::int64_t> dims() const { return {dims_.data(), rank_}; }
  // Product of the dimensions (1 for a scalar); nothing on overflow.
  std::optional<std::int64_t> elements() const;
  bool operator==(const Shape& other) const;
  std::string to_string() const;  // "[32064, 4096]"

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};

// A tensor in somebody else's memory (usually a mapped file): row-major, any alignment.
struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  std::span<const std::byte> data;  // exactly the bytes of shape x dtype
};

// f32 activations: row-major, one row per token or patch; `stride` floats from row to row.
struct Matrix {
  float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  float* row(std::int64_t i) const { return data + i * stride; }
  Matrix slice_rows(std::int64_t first, std::int64_t count) const {
    return {data + first * stride, count, cols, stride};
  }
  Matrix slice_cols(std::int64_t first, std::int64_t count) const {
    return {data + first, rows, count, stride};
  }
};

struct ConstMatrix {
  const float* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;

  ConstMatrix() = default;
  ConstMatrix(const float* d, std::int64_t r, std::int64_t c, std::int64_t s)
      : data(d), rows(r), cols(c), stride(s) {}
  ConstMatrix(Matrix m) : data(m.data), rows(m.rows), cols(m.cols), stride(m.stride) {}  // NOLINT

  const float* row(std::int64_t i) const { return data + i * stride; }
  ConstMatrix slice_rows(std::int64_t first, std::int64_t count) const {
    return {data + first * stride, count, cols, stride};
  }
};

}  // namespace ocellus::tensor
