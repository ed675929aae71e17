// The backend's other operations: embeddings, norms, rotations and attention, against double and
// against each other.
#include <gtest/gtest.h>

#include <cmath>

#include "compute/cpu/kernels.h"
#include "compute/cpu/test_backends.h"

namespace ocellus::compute::cpu {
namespace {

using testing::all_backends;
using testing::backend_of;
using testing::random_values;
using testing::Rows;
using testing::same;
using testing::Source;
using testing::stored_as;
using testing::Values;
using testing::wide;

constexpr double kEps = 0x1p-24;

TEST(Backend, EmbedReadsRowsExactly) {
  const auto backend = backend_of(Isa::kAuto, 2);
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    const Source source(70, 19, DType::kF32, 1);
    const auto table = backend->make_weight(source.view, dtype);
    ASSERT_TRUE(table.has_value());
    const std::vector<std::int32_t> ids = {69, 0, 31, 32, 33, 0, 64};
    Rows out(std::ssize(ids), 19, 2);
    ASSERT_TRUE(backend->embed(**table, ids, out.matrix()));
    for (std::size_t r = 0; r < ids.size(); ++r) {
      for (std::int64_t i = 0; i < 19; ++i) {
        const float value = source.values[static_cast<std::size_t>(ids[r] * 19 + i)];
        ASSERT_EQ(out.at(static_cast<std::int64_t>(r), i), wide(stored_as(dtype, value)));
      }
    }
    ASSERT_TRUE(out.gaps_unchanged());
  }
}

// The kernels are tested on their own; here: every row, with its own operands, whatever the
// threads, in place or not.
TEST(Backend, RowOperationsDoEveryRowAlone) {
  const std::int64_t rows = 21, cols = 37;
  const auto weight = random_values(cols, Values::kUsual, 1);
  const auto bias = random_values(cols, Values::kUsual, 2);
  const Rows x(rows, cols, 3), other(rows, cols, 4);
  const Kernels& kernels = scalar_kernels();
  for (const auto& [name, backend] : all_backends()) {
    SCOPED_TRACE(name);
    Rows layer(rows, cols, 5), rms(rows, cols, 6), in_place = x, sum = x, gate = x;
    ASSERT_TRUE(backend->layer_norm(x.view(), weight.data(), bias.data(), 1e-5f, layer.matrix()));
    ASSERT_TRUE(backend->rms_norm(x.view(), weight.data(), 1e-5f, rms.matrix()));
    ASSERT_TRUE(backend->rms_norm(in_place.view(), weight.data(), 1e-5f, in_place.matrix()));
    ASSERT_TRUE(backend->add(other.view(), sum.matrix()));
    ASSERT_TRUE(backend->gated(Activation::kSilu, gate.matrix(), other.view()));
    for (std::int64_t r = 0; r < rows; ++r) {
      std::vector<float> expected(cols);
      const auto from = x.row(r), up = other.row(r);
      kernels.layer_norm(from.data(), weight.data(), bias.data(), 1e-5f, cols, expected.data());
      ASSERT_TRUE(same(layer.row(r), expected));
      kernels.rms_norm(from.data(), weight.data(), 1e-5f, cols, expected.data());
      ASSERT_TRUE(same(rms.row(r), expected));
      ASSERT_TRUE(same(in_place.row(r), expected));
      expected = from;
      kernels.add(up.data(), cols, expected.data());
      ASSERT_TRUE(same(sum.row(r), expected));
      expected = from;
      kernels.gated(Function::kSilu, expected.data(), up.data(), cols);
      ASSERT_TRUE(same(gate.row(r), expected));
    }
    ASSERT_TRUE(layer.gaps_unchanged() && rms.gaps_unchanged() && sum.gaps_unchanged() &&
                gate.gaps_unchanged());
  }
}

TEST(Backend, RopeTurnsTheFirstPartOfEachHead) {
  // 3 heads of 10, of which the first 8 values turn.
  const std::int64_t rows = 11, heads = 3, head_dim = 10, half = 4;
  const Rows before(rows, heads * head_dim, 1), cos(rows, half, 2), sin(rows, half, 3);
  for (const auto& [name, backend] : all_backends()) {
    SCOPED_TRACE(name);
    Rows x = before;
    ASSERT_TRUE(backend->rope(x.matrix(), heads, head_dim, cos.view(), sin.view()));
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t base = h * head_dim;
        for (std::int64_t i = 0; i < half; ++i) {
          const double a = before.at(r, base + i), b = before.at(r, base + half + i);
          const double c = cos.at(r, i), s = sin.at(r, i);
          const double tolerance =
              2 * kEps * (std::abs(a) + std::abs(b)) * (std::abs(c) + std::abs(s));
          ASSERT_NEAR(x.at(r, base + i), a * c - b * s, tolerance);
          ASSERT_NEAR(x.at(r, base + half + i), b * c + a * s, tolerance);
        }
        for (std::int64_t i = 2 * half; i < head_dim; ++i)
          ASSERT_EQ(x.at(r, base + i), before.at(r, base + i));
      }
    }
    ASSERT_TRUE(x.gaps_unchanged());
  }
}

// softmax(scale q k^T) v for one query over positions [from, to) of `keys` and `values`, head by
// head; the bound is that of the kernel's own test.
void expect_attended(const AttentionShape& shape, const Rows& q, std::int64_t row, const Rows& keys,
                     const Rows& values, std::int64_t from, std::int64_t to, DType dtype,
                     const Rows& out, std::int64_t out_row) {
  const auto stored = [&](const Rows& rows, std::int64_t r, std::int64_t c) {
    return wide(stored_as(dtype, static_cast<float>(rows.at(r, c))));
  };
  for (std::int64_t h = 0; h < shape.heads; ++h) {
    const std::int64_t kv = h / (shape.heads / shape.kv_heads) * shape.head_dim;
    std::vector<double> weights;
    double off = 0, largest = -HUGE_VAL, total = 0;
    for (std::int64_t j = from; j < to; ++j) {
      double sum = 0, size = 0;
      for (std::int64_t d = 0; d < shape.head_dim; ++d) {
        const double product = q.at(row, h * shape.head_dim + d) * stored(keys, j, kv + d);
        sum += product;
        size += std::abs(product);
      }
      weights.push_back(sum * wide(shape.scale));
      largest = std::max(largest, weights.back());
      off =
          std::max(off, static_cast<double>(shape.head_dim + 4) * kEps * size * wide(shape.scale));
    }
    for (double& w : weights) total += w = std::exp(w - largest);
    for (std::int64_t d = 0; d < shape.head_dim; ++d) {
      double sum = 0, size = 0;
      for (std::int64_t j = from; j < to; ++j) {
        const double part =
            weights[static_cast<std::size_t>(j - from)] / total * stored(values, j, kv + d);
        sum += part;
        size += std::abs(part);
      }
      ASSERT_NEAR(out.at(out_row, h * shape.head_dim + d), sum,
                  size * (4 * off + (static_cast<double>(to - from) + 12) * kEps))
          << "row " << row << ", head " << h << ", positions " << from << " to " << to;
    }
  }
}

TEST(Attention, EveryRowSeesEveryRow) {
  for (const std::int64_t rows : {1, 17, 64, 65, 130}) {
    for (const std::int64_t kv_heads : {4, 2, 1}) {
      const AttentionShape shape{4, kv_heads, 20, 0.22f, 0};
      const Rows q(rows, 80, 1), k(rows, kv_heads * 20, 2), v(rows, kv_heads * 20, 3);
      std::vector<float> expected;
      for (const auto& [name, backend] : all_backends()) {
        SCOPED_TRACE(name);
        const auto workspace = backend->make_workspace();
        Rows out(rows, 80, 4);
        ASSERT_TRUE(
            backend->attention(shape, q.view(), k.view(), v.view(), out.matrix(), *workspace));
        ASSERT_TRUE(out.gaps_unchanged());
        if (expected.empty()) {
          expected = out.data;
          for (std::int64_t r = 0; r < rows; ++r)
            expect_attended(shape, q, r, k, v, 0, rows, DType::kF32, out, r);
        }
        ASSERT_TRUE(same(out.data, expected));
      }
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

struct CausalCase {
  std::int64_t kv_heads, head_dim, window;
  DType dtype;
};

class Causal : public ::testing::TestWithParam<CausalCase> {
 protected:
  static constexpr std::int64_t kLength = 150, kHeads = 4, kLayers = 2, kLayer = 1;
  CausalCase c_ = GetParam();
  AttentionShape shape_{kHeads, c_.kv_heads, c_.head_dim, 0.3f, c_.window};
  KvGeometry geometry_{kLayers, c_.kv_heads, c_.head_dim, kKvBlockTokens, c_.dtype};
  Rows q_{kLength, kHeads*c_.head_dim, 1}, k_{kLength, c_.kv_heads*c_.head_dim, 2},
      v_{kLength, c_.kv_heads*c_.head_dim, 3};

  // Stores and attends positions [first, first + rows) as one step of one sequence.
  void step(const Backend& backend, Workspace& workspace, std::span<std::byte* const> blocks,
            std::int64_t first, std::int64_t rows, Matrix out) {
    const SequenceRows run{0, rows, first, blocks};
    ASSERT_TRUE(backend.kv_store(geometry_, kLayer, {&run, 1}, k_.view().slice_rows(first, rows),
                                 v_.view().slice_rows(first, rows)));
    ASSERT_TRUE(backend.causal_attention(shape_, geometry_, kLayer, {&run, 1},
                                         q_.view().slice_rows(first, rows), out, workspace));
  }

  // All positions in one step on the scalar backend.
  Rows whole() {
    const auto backend = backend_of(Isa::kScalar, 1);
    const auto workspace = backend->make_workspace();
    Blocks memory(*backend, geometry_);
    const auto blocks = memory.take(kLength);
    Rows out(kLength, kHeads * c_.head_dim, 4);
    step(*backend, *workspace, blocks, 0, kLength, out.matrix());
    return out;
  }
};

TEST_P(Causal, EqualsArithmeticInDouble) {
  const Rows out = whole();
  for (std::int64_t p = 0; p < kLength; ++p) {
    const std::int64_t from = c_.window > 0 ? std::max<std::int64_t>(0, p + 1 - c_.window) : 0;
    expect_attended(shape_, q_, p, k_, v_, from, p + 1, c_.dtype, out, p);
  }
  ASSERT_TRUE(out.gaps_unchanged());
}

TEST_P(Causal, BitsDoNotDependOnHowTheSequenceIsCut) {
  const Rows expected = whole();
  for (const auto& [name, backend] : all_backends()) {
    const auto workspace = backend->make_workspace();
    for (const std::int64_t chunk : {1, 7, 63, 64, 65, 150}) {
      SCOPED_TRACE(name + ", by " + std::to_string(chunk));
      Blocks memory(*backend, geometry_);
      std::vector<std::byte*> blocks;  // grows as the sequence does
      Rows out(kLength, expected.cols, 5);
      for (std::int64_t first = 0; first < kLength; first += chunk) {
        const std::int64_t rows = std::min(chunk, kLength - first);
        while (std::ssize(blocks) * kKvBlockTokens < first + rows) blocks.push_back(memory.take());
        step(*backend, *workspace, blocks, first, rows, out.matrix().slice_rows(first, rows));
      }
      for (std::int64_t p = 0; p < kLength; ++p)
        ASSERT_TRUE(same(out.row(p), expected.row(p))) << "position " << p;
    }
  }
}

// Three sequences in one call: two share the block of positions 0 to 63 and go on alone, the third
// is at its beginning.
TEST_P(Causal, SequencesOfOneStepDoNotSeeEachOther) {
  const Rows expected = whole();
  const auto backend = backend_of(Isa::kAuto, 2);
  const auto workspace = backend->make_workspace();
  Blocks memory(*backend, geometry_);
  std::vector<std::byte*> first = memory.take(kLength);
  Rows out(kLength, expected.cols, 5);
  step(*backend, *workspace, first, 0, 64, out.matrix().slice_rows(0, 64));
  std::vector<std::byte*> second = memory.take(kLength), third = memory.take(kLength);
  second[0] = first[0];
  // Rows 0..39 of the call: second, positions 64..103; rows 40..45: third, 0..5; rows 46..131:
  // first, 64..149.
  const std::int64_t starts[] = {0, 40, 46}, positions[] = {64, 0, 64}, counts[] = {40, 6, 86};
  Rows q(132, q_.cols, 6), k(132, k_.cols, 6), v(132, v_.cols, 6), y(132, q_.cols, 6);
  for (int s = 0; s < 3; ++s) {
    for (std::int64_t i = 0; i < counts[s]; ++i) {
      std::copy_n(q_.view().row(positions[s] + i), q_.cols, q.matrix().row(starts[s] + i));
      std::copy_n(k_.view().row(positions[s] + i), k_.cols, k.matrix().row(starts[s] + i));
      std::copy_n(v_.view().row(positions[s] + i), v_.cols, v.matrix().row(starts[s] + i));
    }
  }
  const SequenceRows runs[] = {{0, 40, 64, second}, {40, 6, 0, third}, {46, 86, 64, first}};
  ASSERT_TRUE(backend->kv_store(geometry_, kLayer, runs, k.view(), v.view()));
  ASSERT_TRUE(
      backend->causal_attention(shape_, geometry_, kLayer, runs, q.view(), y.matrix(), *workspace));
  for (int s = 0; s < 3; ++s) {
    for (std::int64_t i = 0; i < counts[s]; ++i)
      ASSERT_TRUE(same(y.row(starts[s] + i), expected.row(positions[s] + i)))
          << "sequence " << s << ", row " << i;
  }
}

TEST_P(Causal, LayersDoNotShareMemory) {
  const auto backend = backend_of(Isa::kAuto, 1);
  const auto workspace = backend->make_workspace();
  Blocks memory(*backend, geometry_);
  const auto blocks = memory.take(kLength);
  Rows out(kLength, q_.cols, 4), again(kLength, q_.cols, 4);
  step(*backend, *workspace, blocks, 0, kLength, out.matrix());
  const Rows other(kLength, k_.cols, 9);
  const SequenceRows run{0, kLength, 0, blocks};
  ASSERT_TRUE(backend->kv_store(geometry_, 0, {&run, 1}, other.view(), other.view()));
  ASSERT_TRUE(backend->causal_attention(shape_, geometry_, kLayer, {&run, 1}, q_.view(),
                                        again.matrix(), *workspace));
  for (std::int64_t p = 0; p < kLength; ++p) ASSERT_TRUE(same(again.row(p), out.row(p)));
}

INSTANTIATE_TEST_SUITE_P(
    All, Causal,
    ::testing::Values(CausalCase{4, 16, 0, DType::kF32}, CausalCase{2, 20, 0, DType::kF32},
                      CausalCase{1, 33, 0, DType::kF16}, CausalCase{2, 64, 10, DType::kF32},
                      CausalCase{4, 12, 64, DType::kF16}, CausalCase{2, 80, 1, DType::kF32},
                      CausalCase{2, 16, 1000, DType::kF32}));

TEST(KvBlocks, RefusesTypesAndSizesThatItDoesNotHave) {
  const auto backend = backend_of(Isa::kAuto, 1);
  EXPECT_EQ(backend->kv_block_bytes({1, 1, 16, 64, DType::kBF16}).error().code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(backend->kv_block_bytes({1, 1, 16, 32, DType::kF32}).error().code,
            ErrorCode::kUnsupported);
  EXPECT_GE(*backend->kv_block_bytes({3, 2, 16, 64, DType::kF32}), 3u * 2 * 2 * 16 * 64 * 4);
  EXPECT_LT(*backend->kv_block_bytes({3, 2, 16, 64, DType::kF16}),
            *backend->kv_block_bytes({3, 2, 16, 64, DType::kF32}));
}

}  // namespace
}  // namespace ocellus::compute::cpu
