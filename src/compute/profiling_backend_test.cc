#include "compute/profiling_backend.h"

#include <gtest/gtest.h>

#include <vector>

#include "compute/cpu/cpu_backend.h"

namespace ocellus::compute {
namespace {

class ProfilingBackendTest : public testing::Test {
 protected:
  std::unique_ptr<Weight> weight(std::int64_t out, std::int64_t in, WeightFormat format) {
    const std::vector<float> values(static_cast<std::size_t>(out * in), 0.5f);
    auto made =
        profiling.make_weight({DType::kF32, {out, in}, std::as_bytes(std::span(values))}, format);
    EXPECT_TRUE(made);
    return *std::move(made);
  }

  std::shared_ptr<const Backend> cpu = *cpu::make_cpu_backend({.threads = 1});
  ProfilingBackend profiling{*cpu};
  std::unique_ptr<Workspace> workspace = profiling.make_workspace();
};

TEST_F(ProfilingBackendTest, SumsLinearLayersByTypeAndShape) {
  const auto a = weight(32, 64, DType::kF32), b = weight(32, 64, DType::kF32),
             c = weight(32, 64, DType::kBF16);
  std::vector<float> x(3 * 64, 1.0f), y(3 * 32), expected(3 * 32);
  const ConstMatrix in(x.data(), 3, 64, 64);
  for (const auto* w : {a.get(), b.get(), c.get()}) {
    ASSERT_TRUE(profiling.linear(*w, in, {}, {y.data(), 3, 32, 32}, *workspace));
  }
  ASSERT_TRUE(cpu->linear(*c, in, {}, {expected.data(), 3, 32, 32}, *workspace));
  EXPECT_EQ(y, expected);
  const auto entries = profiling.profile();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].kind, OpKind::kLinear);
  EXPECT_EQ(entries[0].calls, 2);
  EXPECT_EQ(entries[0].rows, 6);
  EXPECT_EQ(entries[0].out, 32);
  EXPECT_EQ(entries[0].in, 64);
  EXPECT_EQ(entries[0].flops, 2.0 * 6 * 32 * 64);
  EXPECT_EQ(entries[0].bytes, 2.0 * static_cast<double>(a->bytes()));
  EXPECT_GT(entries[0].seconds, 0);
  EXPECT_EQ(entries[1].dtype, DType::kBF16);
  EXPECT_EQ(entries[1].bytes, static_cast<double>(c->bytes()));
  profiling.clear();
  EXPECT_TRUE(profiling.profile().empty());
}

TEST_F(ProfilingBackendTest, SumsLayersThatAreCalledTogether) {
  const auto up = weight(32, 64, DType::kF32), gate = weight(32, 64, DType::kF32),
             other = weight(16, 64, DType::kF32);
  std::vector<float> x(64, 0.01f), y(32), z(16), expected(32);
  const ConstMatrix in(x.data(), 1, 64, 64);
  const LinearCall calls[] = {{.weight = up.get(),
                               .epilogue = {.activation = Activation::kSilu},
                               .y = {y.data(), 1, 32, 32},
                               .gate = gate.get()},
                              {.weight = other.get(), .y = {z.data(), 1, 16, 16}}};
  ASSERT_TRUE(profiling.linear(in, 1, calls, *workspace));
  const LinearCall alone = {.weight = up.get(),
                            .epilogue = {.activation = Activation::kSilu},
                            .y = {expected.data(), 1, 32, 32},
                            .gate = gate.get()};
  ASSERT_TRUE(cpu->linear(in, 1, {&alone, 1}, *workspace));
  EXPECT_EQ(y, expected);
  const auto entries = profiling.profile();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].calls, 1);
  EXPECT_EQ(entries[0].out, 32 + 32 + 16);
  EXPECT_EQ(entries[0].flops, 2.0 * 80 * 64);
  EXPECT_EQ(entries[0].bytes, static_cast<double>(2 * up->bytes() + other->bytes()));
}

TEST_F(ProfilingBackendTest, RemembersForWhichArithmeticAWeightWasMade) {
  std::vector<float> x(64, 1.0f), y(32);
  for (const Arithmetic arithmetic : {Arithmetic::kReducedPrecision, Arithmetic::kF32}) {
    const auto w = weight(32, 64, {DType::kBF16, arithmetic});
    profiling.clear();
    ASSERT_TRUE(profiling.linear(*w, {x.data(), 1, 64, 64}, {}, {y.data(), 1, 32, 32}, *workspace));
    ASSERT_EQ(profiling.profile().size(), 1u);
    EXPECT_EQ(profiling.profile()[0].arithmetic, arithmetic);
  }
}

TEST_F(ProfilingBackendTest, CountsWhatCausalAttentionSeesAndReads) {
  const KvGeometry geometry{.layers = 1, .kv_heads = 1, .head_dim = 16};
  std::vector<std::byte> memory(*profiling.kv_block_bytes(geometry));
  std::byte* const block = memory.data();
  const SequenceRows rows{0, 3, 5, {&block, 1}};
  std::vector<float> q(3 * 32, 0.1f), k(3 * 16, 0.1f), out(3 * 32);
  const ConstMatrix kv(k.data(), 3, 16, 16);
  ASSERT_TRUE(profiling.kv_store({geometry, 0}, {&rows, 1}, kv, kv));
  for (const std::int64_t window : {0, 4}) {
    profiling.clear();
    const AttentionShape shape{
        .heads = 2, .kv_heads = 1, .head_dim = 16, .scale = 0.25f, .window = window};
    ASSERT_TRUE(profiling.causal_attention(shape, {geometry, 0}, {&rows, 1}, {q.data(), 3, 32, 32},
                                           {out.data(), 3, 32, 32}, *workspace));
    const auto entries = profiling.profile();
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_EQ(entries[0].kind, OpKind::kCausalAttention);
    // Positions 5, 6, 7 see 6, 7, 8 positions, or the last four.
    const double pairs = window == 0 ? 6 + 7 + 8 : 3 * 4, read = window == 0 ? 8 : 6;
    EXPECT_EQ(entries[0].flops, 4.0 * 2 * 16 * pairs);
    EXPECT_EQ(entries[0].bytes, 2.0 * 16 * 4 * read);
  }
}

TEST_F(ProfilingBackendTest, SaysWithWhatAttentionIsMultiplied) {
  const KvGeometry geometry{.layers = 1, .kv_heads = 1, .head_dim = 16};
  std::vector<std::byte> memory(*profiling.kv_block_bytes(geometry));
  std::byte* const block = memory.data();
  std::vector<float> x(3 * 16, 0.1f), y(x.size());
  const ConstMatrix in(x.data(), 3, 16, 16);
  const Matrix out{y.data(), 3, 16, 16};
  const SequenceRows prompt{0, 3, 0, {&block, 1}}, generated{0, 3, 0, {&block, 1}, true};
  ASSERT_TRUE(profiling.kv_store({geometry, 0}, {&prompt, 1}, in, in));
  for (const Arithmetic arithmetic : {Arithmetic::kF32, Arithmetic::kReducedPrecision}) {
    const bool fast = arithmetic == Arithmetic::kReducedPrecision;
    const AttentionShape shape{1, 1, 16, 0.25f, 0, arithmetic};
    profiling.clear();
    ASSERT_TRUE(profiling.attention(shape, in, in, in, out, *workspace));
    ASSERT_TRUE(
        profiling.causal_attention(shape, {geometry, 0}, {&prompt, 1}, in, out, *workspace));
    ASSERT_TRUE(
        profiling.causal_attention(shape, {geometry, 0}, {&generated, 1}, in, out, *workspace));
    const auto entries = profiling.profile();
    EXPECT_EQ(entries[0].dtype, fast && cpu->multiplies_bf16() ? DType::kBF16 : DType::kF32);
    EXPECT_EQ(entries[0].arithmetic, arithmetic);
    EXPECT_EQ(entries[1].dtype, DType::kF32);  // the cache's
    EXPECT_EQ(entries[1].arithmetic, arithmetic);
    // Generated rows are exact: an entry of their own beside fast ones.
    ASSERT_EQ(entries.size(), fast ? 3u : 2u);
    EXPECT_EQ(entries.back().arithmetic, fast ? Arithmetic::kF32 : arithmetic);
    EXPECT_EQ(entries.back().calls, fast ? 1 : 2);
  }
}

TEST_F(ProfilingBackendTest, PassesEveryOperationOn) {
  std::vector<float> x = {1, 2, 3, 4}, y(4), ones(4, 1.0f), angle = {1, 1}, zero = {0, 0};
  const Matrix rows{x.data(), 1, 4, 4}, out{y.data(), 1, 4, 4};
  ASSERT_TRUE(profiling.rms_norm(rows, ones.data(), 1e-5f, out));
  ASSERT_TRUE(profiling.layer_norm(rows, ones.data(), nullptr, 1e-5f, out));
  ASSERT_TRUE(profiling.rope(out, 1, 4, {angle.data(), 1, 2, 2}, {zero.data(), 1, 2, 2}));
  const auto table = weight(8, 4, DType::kF32);
  const std::int32_t id = 3;
  ASSERT_TRUE(profiling.embed(*table, {&id, 1}, out));
  EXPECT_EQ(y, std::vector<float>(4, 0.5f));
  ASSERT_TRUE(profiling.attention({.heads = 1, .kv_heads = 1, .head_dim = 4, .scale = 0.5f}, rows,
                                  rows, rows, out, *workspace));
  EXPECT_EQ(y, x);  // one position sees itself only
  std::vector<std::string> names;
  for (const auto& entry : profiling.profile()) {
    names.emplace_back(op_name(entry.kind));
    EXPECT_EQ(entry.calls, 1);
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"rms_norm", "layer_norm", "rope", "embed", "attention"}));
}

}  // namespace
}  // namespace ocellus::compute
