// What the tests of attention need: caches, and attention in double.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "compute/cpu/attention/kernels.h"
#include "compute/cpu/testing/backends.h"

namespace ocellus::compute::cpu::testing {

inline constexpr double kEps = 0x1p-24, kBrainEps = 0x1p-9;  // one rounding to f32, to bf16

inline bool has_bf16_attention() { return avx512bf16_attention() != nullptr; }

// What the cache holds of `rows`, whose heads are head_dim wide.
struct Stored {
  Stored(const Rows& rows, std::int64_t head_dim, DType dtype) : cols(rows.cols) {
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      const std::vector<float> row = rows.row(r);
      for (std::int64_t first = 0; first < cols; first += head_dim) {
        float largest = 0;
        for (std::int64_t i = 0; i < head_dim; ++i)
          largest = std::max(largest, std::abs(row[static_cast<std::size_t>(first + i)]));
        const float factor = 127.0f / largest, scale = largest / 127.0f;
        for (std::int64_t i = 0; i < head_dim; ++i) {
          const float x = row[static_cast<std::size_t>(first + i)];
          values.push_back(dtype == DType::kQ8_0 ? wide(std::nearbyint(x * factor)) * wide(scale)
                                                 : wide(stored_as(dtype, x)));
        }
      }
    }
  }
  double at(std::int64_t r, std::int64_t c) const {
    return values[static_cast<std::size_t>(r * cols + c)];
  }
  std::int64_t cols;
  std::vector<double> values;
};

// softmax(scale q k^T) v for one query over positions [from, to), head by head. A score that is off
// by d changes its weight by the factor exp(d), and the sum of weights by as much again.
inline void expect_attended(const AttentionShape& shape, const Rows& q, std::int64_t row,
                            const Stored& keys, const Stored& values, std::int64_t from,
                            std::int64_t to, bool fast, const Rows& out) {
  // Fast: two operands of each product are rounded to bf16; the dot products do not keep denormals.
  const double each = fast ? 2.01 * kBrainEps : 0;
  for (std::int64_t h = 0; h < shape.heads; ++h) {
    const std::int64_t kv = h / (shape.heads / shape.kv_heads) * shape.head_dim;
    std::vector<double> weights;
    double off = 0, largest = -HUGE_VAL, total = 0;
    for (std::int64_t j = from; j < to; ++j) {
      double sum = 0, size = 0;
      for (std::int64_t d = 0; d < shape.head_dim; ++d) {
        const double product = q.at(row, h * shape.head_dim + d) * keys.at(j, kv + d);
        sum += product;
        size += std::abs(product);
      }
      weights.push_back(sum * wide(shape.scale));
      largest = std::max(largest, weights.back());
      off = std::max(
          off, (static_cast<double>(shape.head_dim + 8) * kEps + each) * size * wide(shape.scale));
    }
    for (double& w : weights) total += w = std::exp(w - largest);
    for (std::int64_t d = 0; d < shape.head_dim; ++d) {
      double sum = 0, size = 0;
      for (std::int64_t j = from; j < to; ++j) {
        const double part =
            weights[static_cast<std::size_t>(j - from)] / total * values.at(j, kv + d);
        sum += part;
        size += std::abs(part);
      }
      const double rest = (static_cast<double>(to - from) + 80) * kEps + each + (fast ? 1e-5 : 0);
      ASSERT_NEAR(out.at(row, h * shape.head_dim + d), sum,
                  size * (std::expm1(2.02 * off) + rest) + (fast ? 1e-30 : 0))
          << "row " << row << ", head " << h << ", positions " << from << " to " << to;
    }
  }
}

// A cache that hands out blocks filled with NaN: what is read before it was written shows.
class Blocks {
 public:
  Blocks(const Backend& backend, const KvGeometry& geometry)
      : bytes_(backend.kv_block_bytes(geometry).value()) {}
  std::byte* take() {
    memory_.emplace_back(bytes_, std::byte{0xFF});
    return memory_.back().data();
  }
  std::vector<std::byte*> take(std::int64_t positions) {
    std::vector<std::byte*> blocks;
    for (std::int64_t p = 0; p < positions; p += kKvBlockTokens) blocks.push_back(take());
    return blocks;
  }

 private:
  std::size_t bytes_;
  std::vector<std::vector<std::byte>> memory_;
};

}  // namespace ocellus::compute::cpu::testing
