// Gated delta nets against double, and the same bits on every backend however rows are cut.
#include <gtest/gtest.h>

#include <cmath>

#include "compute/cpu/testing/backends.h"

namespace ocellus::compute::cpu {
namespace {

using testing::all_backends;

using Floats = std::vector<float>;

Floats random_values(std::int64_t n, std::uint64_t seed) {
  return testing::random_values(static_cast<std::size_t>(n), testing::Values::kUsual, seed);
}

// Sizes that fill no vector and need two strips of columns.
DeltaNetShape shape_of(bool tiled) {
  return {.k_heads = 2,
          .v_heads = 4,
          .k_dim = 20,
          .v_dim = 36,
          .kernel = 4,
          .eps = 1e-6f,
          .tiled_heads = tiled};
}

struct Inputs {
  explicit Inputs(const DeltaNetShape& s, std::int64_t rows)
      : convolution(random_values(s.kernel * s.channels(), 1)),
        decay(random_values(s.v_heads, 2)),
        decay_bias(random_values(s.v_heads, 3)),
        norm(random_values(s.v_dim, 4)),
        query_norm(static_cast<std::size_t>(s.k_dim), 1.0f / static_cast<float>(s.k_dim)),
        key_norm(static_cast<std::size_t>(s.k_dim), 1.0f / std::sqrt(static_cast<float>(s.k_dim))),
        qkv(random_values(rows * s.channels(), 5)),
        a(random_values(rows * s.v_heads, 6)),
        b(random_values(rows * s.v_heads, 7)),
        gate(random_values(rows * s.v_size(), 8)) {
    for (float& x : decay) x = -std::abs(x);
  }

  Floats convolution, decay, decay_bias, norm, query_norm, key_norm, qkv, a, b, gate;
};

// In steps of so many rows each; the state at the end behind the rows.
Floats run(const Backend& backend, const DeltaNetShape& s, Inputs in, std::int64_t rows,
           std::int64_t step) {
  Floats state(static_cast<std::size_t>(s.state_values())),
      out(static_cast<std::size_t>(rows * s.v_size()));
  const auto part = [&](Floats& values, std::int64_t cols, std::int64_t first, std::int64_t count) {
    return tensor::Matrix{values.data() + first * cols, count, cols, cols};
  };
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    const StateRows sequence{0, count, state.data()};
    EXPECT_TRUE(backend.gated_delta_net({.shape = s,
                                         .weights = {.convolution = in.convolution.data(),
                                                     .decay = in.decay.data(),
                                                     .decay_bias = in.decay_bias.data(),
                                                     .norm = in.norm.data(),
                                                     .query_norm = in.query_norm.data(),
                                                     .key_norm = in.key_norm.data()},
                                         .sequences = {&sequence, 1},
                                         .qkv = part(in.qkv, s.channels(), first, count),
                                         .a = part(in.a, s.v_heads, first, count),
                                         .b = part(in.b, s.v_heads, first, count),
                                         .gate = part(in.gate, s.v_size(), first, count),
                                         .out = part(out, s.v_size(), first, count)}));
  }
  out.insert(out.end(), state.begin(), state.end());
  return out;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// By the formulas of the paper, [rows, v_size].
std::vector<double> reference(const DeltaNetShape& s, const Inputs& in, std::int64_t rows) {
  std::vector<double> mixed(static_cast<std::size_t>(rows * s.channels()));
  const auto at = [](const Floats& values, std::int64_t i) {
    return static_cast<double>(values[static_cast<std::size_t>(i)]);
  };
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < s.channels(); ++c) {
      double sum = 0;
      for (std::int64_t tap = 0; tap < s.kernel; ++tap) {
        const std::int64_t from = row - (s.kernel - 1) + tap;
        if (from >= 0)
          sum += at(in.convolution, tap * s.channels() + c) * at(in.qkv, from * s.channels() + c);
      }
      mixed[static_cast<std::size_t>(row * s.channels() + c)] = sum * sigmoid(sum);
    }
  }
  std::vector<double> out(static_cast<std::size_t>(rows * s.v_size()));
  for (std::int64_t head = 0; head < s.v_heads; ++head) {
    std::vector<double> state(static_cast<std::size_t>(s.k_dim * s.v_dim));
    for (std::int64_t row = 0; row < rows; ++row) {
      const double* const q = mixed.data() + row * s.channels() + s.key_head(head) * s.k_dim;
      const double* const k = q + s.k_size();
      const double* const v = mixed.data() + row * s.channels() + 2 * s.k_size() + head * s.v_dim;
      double q_length = 1e-6, k_length = 1e-6;
      for (std::int64_t i = 0; i < s.k_dim; ++i) {
        q_length += q[i] * q[i];
        k_length += k[i] * k[i];
      }
      const std::int64_t gate = row * s.v_heads + head;
      const double decay = std::exp(at(in.decay, head) *
                                    std::log1p(std::exp(at(in.a, gate) + at(in.decay_bias, head))));
      std::vector<double> read(static_cast<std::size_t>(s.v_dim));
      double squares = 0;
      for (std::int64_t j = 0; j < s.v_dim; ++j) {
        double held = 0;
        for (std::int64_t i = 0; i < s.k_dim; ++i) {
          double& x = state[static_cast<std::size_t>(i * s.v_dim + j)];
          x *= decay;
          held += x * k[i] / std::sqrt(k_length);
        }
        const double more = (v[j] - held) * sigmoid(at(in.b, gate));
        double sum = 0;
        for (std::int64_t i = 0; i < s.k_dim; ++i) {
          double& x = state[static_cast<std::size_t>(i * s.v_dim + j)];
          x += more * k[i] / std::sqrt(k_length);
          sum += x * q[i] / std::sqrt(q_length) / std::sqrt(static_cast<double>(s.k_dim));
        }
        read[static_cast<std::size_t>(j)] = sum;
        squares += sum * sum;
      }
      const double root = std::sqrt(squares / static_cast<double>(s.v_dim) + 1e-6);
      for (std::int64_t j = 0; j < s.v_dim; ++j) {
        const std::int64_t to = row * s.v_size() + head * s.v_dim + j;
        const double z = at(in.gate, to);
        out[static_cast<std::size_t>(to)] =
            read[static_cast<std::size_t>(j)] / root * at(in.norm, j) * z * sigmoid(z);
      }
    }
  }
  return out;
}

TEST(DeltaNet, IsThePapersFormulas) {
  constexpr std::int64_t kRows = 70;
  for (const bool tiled : {false, true}) {
    const DeltaNetShape s = shape_of(tiled);
    const Inputs in(s, kRows);
    const std::vector<double> expected = reference(s, in, kRows);
    for (const auto& [name, backend] : all_backends()) {
      const Floats found = run(*backend, s, in, kRows, kRows);
      for (std::size_t i = 0; i < expected.size(); ++i)
        ASSERT_NEAR(found[i], expected[i], 2e-5) << name << " at " << i;
    }
  }
}

TEST(DeltaNet, SameBitsOnEveryMachineHoweverRowsAreCut) {
  constexpr std::int64_t kRows = 37;
  const DeltaNetShape s = shape_of(false);
  const Inputs in(s, kRows);
  const Floats whole = run(*all_backends().front().backend, s, in, kRows, kRows);
  for (const auto& [name, backend] : all_backends())
    for (const std::int64_t step : {1, 2, 3, 5, 16, 37})
      ASSERT_EQ(run(*backend, s, in, kRows, step), whole) << name << " by " << step;
}

TEST(DeltaNet, AConvolutionThatIsTooLongIsRefused) {
  DeltaNetShape s = shape_of(false);
  s.kernel = 9;
  EXPECT_EQ(all_backends().front().backend->gated_delta_net({.shape = s}).error().code,
            ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace ocellus::compute::cpu
