// What the tests of whole operations need: matrices, weights of every type, a backend for every
// instruction set and several numbers of threads.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "compute/cpu/cpu_backend.h"
#include "compute/cpu/gemm/f32_kernels.h"
#include "compute/cpu/testing/memory.h"

namespace ocellus::compute::cpu::testing {

inline double wide(float x) { return static_cast<double>(x); }

// Rows with room between them, filled with NaN: an operation that reads or writes there shows.
struct Rows {
  Rows(std::int64_t r, std::int64_t c, std::uint64_t seed, std::int64_t gap = 3)
      : rows(r), cols(c), stride(c + gap) {
    data.assign(static_cast<std::size_t>(rows * stride), std::numeric_limits<float>::quiet_NaN());
    const auto values = random_values(static_cast<std::size_t>(rows * cols), Values::kUsual, seed);
    for (std::int64_t i = 0; i < rows; ++i)
      std::copy_n(values.data() + i * cols, cols, data.data() + i * stride);
  }
  Matrix matrix() { return {data.data(), rows, cols, stride}; }
  ConstMatrix view() const { return {data.data(), rows, cols, stride}; }
  double at(std::int64_t r, std::int64_t c) const {
    return wide(data[static_cast<std::size_t>(r * stride + c)]);
  }
  std::vector<float> row(std::int64_t r) const {
    return {data.data() + r * stride, data.data() + r * stride + cols};
  }
  bool gaps_unchanged() const {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = cols; c < stride; ++c) {
        if (!std::isnan(data[static_cast<std::size_t>(r * stride + c)])) return false;
      }
    }
    return true;
  }

  std::int64_t rows, cols, stride;
  std::vector<float> data;
};

// A backend, or null where the machine lacks the instructions.
inline std::shared_ptr<const Backend> backend_of(Isa isa, int threads) {
  return make_cpu_backend({.threads = threads, .isa = isa}).value_or(nullptr);
}

struct NamedBackend {
  std::string name;
  std::shared_ptr<const Backend> backend;
};

// Every instruction set of this machine with 1, 2 and 5 threads; the scalar one with one thread
// comes first.
inline std::vector<NamedBackend> all_backends() {
  std::vector<NamedBackend> all;
  for (const auto& [isa, name] : {std::pair{Isa::kScalar, "scalar"}, std::pair{Isa::kAvx2, "avx2"},
                                  std::pair{Isa::kAvx512, "avx512"}}) {
    for (const int threads : {1, 2, 5}) {
      if (auto backend = backend_of(isa, threads))
        all.push_back({std::string(name) + ", " + std::to_string(threads), std::move(backend)});
    }
  }
  return all;
}

// A source tensor of any float type at an odd address, and its values.
struct Source {
  Source(std::int64_t out, std::int64_t in, DType type, std::uint64_t seed) : dtype(type) {
    const auto n = static_cast<std::size_t>(out * in);
    values = random_values(n, Values::kUsual, seed);
    const std::size_t size = tensor::block_bytes(dtype);
    bytes.resize(n * size + 1);
    for (std::size_t i = 0; i < n; ++i) {
      std::byte* const to = bytes.data() + 1 + i * size;
      if (dtype == DType::kF32) {
        std::memcpy(to, &values[i], 4);
      } else {
        const bool half = dtype == DType::kF16;
        const std::uint16_t bits =
            half ? tensor::f32_to_f16(values[i]) : tensor::f32_to_bf16(values[i]);
        values[i] = half ? tensor::f16_to_f32(bits) : tensor::bf16_to_f32(bits);
        std::memcpy(to, &bits, 2);
      }
    }
    view = {dtype, {out, in}, std::span(bytes).subspan(1)};
  }

  DType dtype;
  std::vector<float> values;
  std::vector<std::byte> bytes;
  tensor::TensorView view;
};

// What a value becomes when it is stored as `dtype`.
inline float stored_as(DType dtype, float value) {
  if (dtype == DType::kF16) return tensor::f16_to_f32(tensor::f32_to_f16(value));
  if (dtype == DType::kBF16) return tensor::bf16_to_f32(tensor::f32_to_bf16(value));
  return value;
}

// gate = activation(gate) * up, as the scalar epilogue has it.
inline void gate_rows(Activation activation, Matrix gate, ConstMatrix up) {
  for (std::int64_t r = 0; r < gate.rows; ++r) {
    for (std::int64_t from = 0; from < gate.cols; from += kPanel) {
      const std::int64_t n = std::min<std::int64_t>(kPanel, gate.cols - from);
      float gates[kPanel] = {}, sums[kPanel] = {};
      std::copy_n(gate.row(r) + from, n, gates);
      std::copy_n(up.row(r) + from, n, sums);
      scalar_f32_kernels().gated_epilogue(
          activation, {sums, 1, nullptr, nullptr, 0, static_cast<int>(n), gate.row(r) + from, 0},
          gates, nullptr);
    }
  }
}

}  // namespace ocellus::compute::cpu::testing
