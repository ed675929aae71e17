// The loops of attention of every instruction set against the scalar ones, bit for bit, in memory
// where a step too far is seen; and what the cache's types make of values.
#include "compute/cpu/attention/kernels.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "compute/cpu/testing/memory.h"
#include "tensor/dtype.h"

namespace ocellus::compute::cpu {
namespace {

using testing::Edge;
using testing::Fenced;
using testing::random_values;
using testing::same;
using testing::Values;

using Floats = std::vector<float>;
using Bytes = std::vector<std::uint8_t>;

constexpr Edge kEdges[] = {Edge::kFront, Edge::kBack};
constexpr KvElement kElements[] = {KvElement::kF32, KvElement::kF16, KvElement::kQ8};

std::size_t bytes_of(KvElement element) {
  return element == KvElement::kF32 ? 4 : element == KvElement::kF16 ? 2 : 1;
}
int stride_of(int head_dim) { return (head_dim + kLanes - 1) / kLanes * kLanes; }

// n stored values: any bits, or ordinary numbers.
Bytes stored_values(KvElement element, std::size_t n, Values kind, std::uint64_t seed) {
  const Floats floats = random_values(n, kind, seed);
  Bytes bytes(n * bytes_of(element));
  for (std::size_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(floats[i]);
    const auto half = kind == Values::kAny ? static_cast<std::uint16_t>(bits >> 7)
                                           : tensor::f32_to_f16(floats[i]);
    if (element == KvElement::kF32) std::memcpy(bytes.data() + i * 4, &bits, 4);
    if (element == KvElement::kF16) std::memcpy(bytes.data() + i * 2, &half, 2);
    if (element == KvElement::kQ8) bytes[i] = static_cast<std::uint8_t>(bits >> 9);
  }
  return bytes;
}

class AttentionTable : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string_view name = GetParam();
    table_ = name == "avx512" ? avx512_attention()
             : name == "avx2" ? avx2_attention()
                              : &scalar_attention();
    if (table_ == nullptr) GTEST_SKIP() << "this machine does not have " << name;
  }
  const AttentionKernels* table_ = nullptr;
};

// Visible parts that the rows of one call take in turn.
constexpr int kParts[][2] = {{0, 64}, {0, 1},   {0, 17}, {63, 64},
                             {5, 5},  {31, 48}, {0, 63}, {1, 64}};

TEST_P(AttentionTable, BlockEqualsScalar) {
  for (const Values kind : {Values::kUsual, Values::kAny}) {
    for (const KvElement element : kElements) {
      for (const int head_dim : {1, 7, 8, 16, 33, 64, 72, 80, 96, 112, 128, 136}) {
        const int stride = stride_of(head_dim), record = kStateFixed + stride;
        const auto dim = static_cast<std::size_t>(head_dim);
        for (int rows = 1; rows <= kF32AttentionRows; ++rows) {
          for (const bool full : {true, false}) {
            SCOPED_TRACE(::testing::Message() << head_dim << " wide, " << rows << " rows");
            const Edge edge = kEdges[(head_dim + rows) % 2];
            const auto n = static_cast<std::size_t>(rows);
            const Fenced<float> q(random_values(n * dim, kind, 1), edge);
            const Fenced<std::uint8_t> keys(stored_values(element, dim * 64, kind, 2), edge);
            const Fenced<std::uint8_t> values(
                stored_values(element, static_cast<std::size_t>(stride) * 64, kind, 3), edge);
            const Fenced<float> scales(random_values(64, Values::kUsual, 4), edge);
            const Floats before =
                random_values(n * static_cast<std::size_t>(record), Values::kUsual, 5);
            AttentionBlock args{.rows = rows,
                                .head_dim = head_dim,
                                .stride = stride,
                                .scale = 0.3f,
                                .q = q.data(),
                                .q_stride = head_dim,
                                .element = element,
                                .keys = keys.data(),
                                .values = values.data(),
                                .next_keys = keys.data(),
                                .key_scales = element == KvElement::kQ8 ? scales.data() : nullptr,
                                .value_scales = element == KvElement::kQ8 ? scales.data() : nullptr,
                                .from = {},
                                .to = {},
                                .state = nullptr,
                                .state_stride = record,
                                .unmasked = false,
                                .first_block = false};
            for (int r = 0; r < rows; ++r) {
              args.from[r] = full ? 0 : kParts[(r + head_dim) % 8][0];
              args.to[r] = full ? 64 : kParts[(r + head_dim) % 8][1];
            }
            // Rows do not depend on each other: the expected ones are made one by one.
            Floats expected = before;
            for (int r = 0; r < rows; ++r) {
              AttentionBlock one = args;
              one.rows = 1;
              one.q = q.data() + r * head_dim;
              one.from[0] = args.from[r];
              one.to[0] = args.to[r];
              one.state = expected.data() + r * record;
              scalar_attention().block(one);
            }
            const Fenced<float> found(before, edge);
            args.state = found.data();
            table_->block(args);
            ASSERT_TRUE(same(found.span(), expected));
            ASSERT_TRUE(found.guards_unchanged());
          }
        }
      }
    }
  }
}

TEST_P(AttentionTable, CloseMergeAndFinishEqualScalar) {
  for (const Values kind : {Values::kUsual, Values::kAny}) {
    for (const int n : {1, 8, 15, 16, 17, 64, 72, 128, 136}) {
      const auto record = static_cast<std::size_t>(kStateFixed + stride_of(n));
      for (const Edge edge : kEdges) {
        const Fenced<float> part(random_values(record, kind, 1), edge);
        Floats expected = random_values(record, kind, 2);
        const Fenced<float> found(expected, edge);
        scalar_attention().close(expected.data());
        table_->close(found.data());
        ASSERT_TRUE(same(found.span(), expected));
        for (const float unit : {1.0f, 0.6931472f}) {
          scalar_attention().merge(part.data(), stride_of(n), unit, expected.data());
          table_->merge(part.data(), stride_of(n), unit, found.data());
          ASSERT_TRUE(same(found.span(), expected));
        }
        Floats out(static_cast<std::size_t>(n));
        const Fenced<float> fenced_out(out.size(), edge);
        scalar_attention().finish(expected.data(), n, out.data());
        table_->finish(found.data(), n, fenced_out.data());
        ASSERT_TRUE(same(fenced_out.span(), out));
        ASSERT_TRUE(found.guards_unchanged() && fenced_out.guards_unchanged());
      }
    }
  }
}

TEST_P(AttentionTable, ExpandGivesWhatIsStored) {
  // All halves and all bytes.
  Bytes halves(2 * 65536), bytes(256);
  for (std::size_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    std::memcpy(halves.data() + 2 * i, &bits, 2);
  }
  for (std::size_t i = 0; i < 256; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  Floats found(65536);
  table_->expand(KvElement::kF16, halves.data(), 65536, found.data());
  for (std::size_t i = 0; i < 65536; ++i)
    ASSERT_TRUE(same(found[i], tensor::f16_to_f32(static_cast<std::uint16_t>(i))));
  table_->expand(KvElement::kQ8, bytes.data(), 256, found.data());
  for (std::size_t i = 0; i < 256; ++i)
    ASSERT_EQ(found[i], static_cast<float>(static_cast<std::int8_t>(i)));
}

// One block's memory, every byte of it 0xFF where nothing was stored.
struct Block {
  Block(KvElement element, int head_dim, Edge edge)
      : keys(Bytes(static_cast<std::size_t>(head_dim) * 64 * bytes_of(element), 0xFF), edge),
        values(Bytes(static_cast<std::size_t>(stride_of(head_dim)) * 64 * bytes_of(element), 0xFF),
               edge),
        key_scales(Floats(64), edge),
        value_scales(Floats(64), edge) {}
  bool guards_unchanged() const {
    return keys.guards_unchanged() && values.guards_unchanged() && key_scales.guards_unchanged() &&
           value_scales.guards_unchanged();
  }
  Fenced<std::uint8_t> keys, values;
  Fenced<float> key_scales, value_scales;
};

KvRun run_of(const Floats& rows, KvElement element, int head_dim, int token, int tokens,
             const Block& block) {
  return {.k = rows.data(),
          .v = rows.data() + head_dim,
          .k_stride = 2 * head_dim,
          .v_stride = 2 * head_dim,
          .tokens = tokens,
          .token = token,
          .head_dim = head_dim,
          .stride = stride_of(head_dim),
          .element = element,
          .keys = block.keys.data(),
          .values = block.values.data(),
          .key_scales = block.key_scales.data(),
          .value_scales = block.value_scales.data()};
}

// The element that `value` is stored as, in a row whose largest magnitude is `largest`.
std::uint32_t element_of(KvElement element, float value, float largest) {
  if (element == KvElement::kF32) return std::bit_cast<std::uint32_t>(value);
  if (element == KvElement::kF16) return tensor::f32_to_f16(value);
  const float scaled = largest > 0 ? std::nearbyint(value * (127.0f / largest)) : 0;
  return static_cast<std::uint8_t>(static_cast<std::int8_t>(scaled));
}
std::uint32_t element_at(KvElement element, const std::uint8_t* from, int i) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, from + static_cast<std::size_t>(i) * bytes_of(element), bytes_of(element));
  return bits;
}

TEST_P(AttentionTable, StoreWritesWhatTheTypesSayAndNothingElse) {
  for (const KvElement element : kElements) {
    for (const int head_dim : {1, 8, 15, 16, 33, 64, 65, 128, 136}) {
      for (const auto& [token, tokens] :
           {std::pair{0, 64}, {0, 1}, {63, 1}, {17, 16}, {5, 40}, {0, 16}, {48, 16}}) {
        SCOPED_TRACE(::testing::Message() << head_dim << " wide, " << tokens << " at " << token);
        const Edge edge = kEdges[head_dim % 2];
        const Block block(element, head_dim, edge);
        Floats rows = random_values(static_cast<std::size_t>(2 * head_dim * tokens), Values::kUsual,
                                    static_cast<std::uint64_t>(head_dim));
        // A row of zeros, one with halves' smallest, largest and infinite values.
        std::fill_n(rows.begin(), 2 * head_dim, 0.0f);
        if (tokens > 2 && head_dim > 8) {
          constexpr float kHalves[] = {1e-8f, 3e-8f, 6e-5f, 65519.0f, -1e-7f, 65504.0f, 1e-40f};
          std::copy_n(kHalves, 7, rows.begin() + 2 * head_dim);
        }
        table_->store(run_of(rows, element, head_dim, token, tokens, block));
        ASSERT_TRUE(block.guards_unchanged());
        const int stride = stride_of(head_dim);
        for (int t = 0; t < 64; ++t) {
          const bool there = t >= token && t < token + tokens;
          const float* const k = rows.data() + 2 * head_dim * (there ? t - token : 0);
          const float* const v = k + head_dim;
          float k_most = 0, v_most = 0;
          for (int d = 0; d < head_dim; ++d) {
            k_most = std::max(k_most, std::abs(k[d]));
            v_most = std::max(v_most, std::abs(v[d]));
          }
          const std::uint32_t unwritten = element == KvElement::kF32   ? 0xFFFFFFFF
                                          : element == KvElement::kF16 ? 0xFFFF
                                                                       : 0xFF;
          for (int d = 0; d < head_dim; ++d) {
            ASSERT_EQ(element_at(element, block.keys.data(), d * 64 + t),
                      there ? element_of(element, k[d], k_most) : unwritten)
                << "key " << t << ", " << d;
          }
          for (int d = 0; d < stride; ++d) {
            ASSERT_EQ(element_at(element, block.values.data(), t * stride + d),
                      !there         ? unwritten
                      : d < head_dim ? element_of(element, v[d], v_most)
                                     : 0)
                << "value " << t << ", " << d;
          }
          if (element == KvElement::kQ8) {
            ASSERT_EQ(block.key_scales.data()[t], there ? k_most / 127.0f : 0.0f);
            ASSERT_EQ(block.value_scales.data()[t], there ? v_most / 127.0f : 0.0f);
          }
        }
      }
    }
  }
}

TEST_P(AttentionTable, StoreEqualsScalarForAnyBits) {
  for (const KvElement element : kElements) {
    for (const int head_dim : {7, 64, 100}) {
      const Block found(element, head_dim, Edge::kBack), expected(element, head_dim, Edge::kBack);
      const Floats rows =
          random_values(static_cast<std::size_t>(2 * head_dim * 64), Values::kAny, 7);
      table_->store(run_of(rows, element, head_dim, 0, 64, found));
      scalar_attention().store(run_of(rows, element, head_dim, 0, 64, expected));
      if (element == KvElement::kQ8) {
        ASSERT_EQ(found.keys.copy(), expected.keys.copy());
        ASSERT_EQ(found.values.copy(), expected.values.copy());
      } else {  // a NaN's payload is open
        Floats a(static_cast<std::size_t>(head_dim) * 64), b(a.size());
        scalar_attention().expand(element, found.keys.data(), std::ssize(a), a.data());
        scalar_attention().expand(element, expected.keys.data(), std::ssize(b), b.data());
        ASSERT_TRUE(same(a, b));
      }
      ASSERT_TRUE(same(found.key_scales.span(), expected.key_scales.copy()));
      ASSERT_TRUE(same(found.value_scales.span(), expected.value_scales.copy()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionTable, ::testing::Values("scalar", "avx2", "avx512"),
                         [](const auto& tested) { return std::string(tested.param); });

// The fast loops read and write no more than their operands, and a row's bits do not depend on the
// rows beside it.
TEST(FastAttention, RowsAreAloneAndInsideTheirMemory) {
  const Bf16AttentionKernels* const table = avx512bf16_attention();
  if (table == nullptr) GTEST_SKIP() << "this machine has no AVX512_BF16";
  for (const int head_dim : {1, 7, 8, 16, 33, 64, 72, 80, 96, 112, 128, 136}) {
    const int stride = stride_of(head_dim), record = kStateFixed + stride;
    const int padded = head_dim + head_dim % 2;
    for (const Edge edge : kEdges) {
      const auto half_words = [](std::size_t n, std::uint64_t seed) {
        std::vector<std::uint16_t> words;
        for (const float x : random_values(n, Values::kUsual, seed))
          words.push_back(tensor::f32_to_bf16(x));
        return words;
      };
      const auto fenced_bytes = [&](const std::vector<std::uint16_t>& words) {
        const auto* const p = reinterpret_cast<const std::uint8_t*>(words.data());
        return std::make_unique<Fenced<std::uint8_t>>(std::span(p, words.size() * 2), edge);
      };
      const auto keys = fenced_bytes(half_words(static_cast<std::size_t>(padded) * 64, 1));
      const auto values = fenced_bytes(half_words(static_cast<std::size_t>(stride) * 64, 2));
      const Fenced<std::uint16_t> q(
          half_words(static_cast<std::size_t>(padded) * kBf16AttentionRows, 3), edge);
      const Fenced<float> scales(random_values(64, Values::kUsual, 4), edge);
      for (const bool scaled : {false, true}) {
        for (int rows = 1; rows <= kBf16AttentionRows; ++rows) {
          for (int shift = 0; shift < 11; ++shift) {
            const bool whole = shift == 8, fresh = shift >= 9;
            // Nothing that a fresh record holds is read.
            Floats before =
                random_values(static_cast<std::size_t>(rows * record), Values::kUsual, 5);
            if (fresh) std::ranges::fill(before, std::numeric_limits<float>::quiet_NaN());
            const Fenced<float> found(before, edge);
            Floats expected = before;
            AttentionBlock args{.rows = rows,
                                .head_dim = head_dim,
                                .stride = stride,
                                .scale = 1,
                                .q = q.data(),
                                .q_stride = padded,
                                .element = KvElement::kPairs,
                                .keys = keys->data(),
                                .values = values->data(),
                                .next_keys = keys->data(),
                                .key_scales = scaled ? scales.data() : nullptr,
                                .value_scales = scaled ? scales.data() : nullptr,
                                .from = {},
                                .to = {},
                                .state = found.data(),
                                .state_stride = record,
                                .unmasked = whole,
                                .first_block = fresh};
            for (int r = 0; r < rows; ++r) {
              // Neighbours' parts as in a prompt (shift 10), or nothing alike.
              args.from[r] = shift == 10 ? 0 : kParts[(r + shift) % 8][0];
              args.to[r] = shift == 10 ? 40 + 2 * r / 3 : kParts[(r + shift) % 8][1];
            }
            table->block(args);
            ASSERT_TRUE(found.guards_unchanged());
            for (int r = 0; r < rows; ++r) {
              AttentionBlock one = args;
              one.rows = 1;
              one.q = q.data() + r * padded;
              one.from[0] = whole ? 0 : args.from[r];
              one.to[0] = whole ? 64 : args.to[r];
              one.unmasked = false;
              one.state = expected.data() + r * record;
              table->block(one);
            }
            // Places 1 to 15 of a record are the caller's.
            for (int r = 0; r < rows; ++r) {
              const auto at = [&](const auto& records, int i) {
                return records[static_cast<std::size_t>(r * record + i)];
              };
              ASSERT_TRUE(same(at(found.span(), kStateMax), at(expected, kStateMax)));
              for (int i = kStateSums; i < record; ++i) {
                ASSERT_TRUE(same(at(found.span(), i), at(expected, i)))
                    << head_dim << " wide, row " << r << " of " << rows << ", shift " << shift;
                ASSERT_TRUE(!fresh || !std::isnan(at(expected, i)));
              }
            }
          }
        }
      }
    }
  }
}

TEST(FastAttention, FinishDividesByTheSumOfTheLanes) {
  const Bf16AttentionKernels* const table = avx512bf16_attention();
  if (table == nullptr) GTEST_SKIP() << "this machine has no AVX512_BF16";
  for (const int n : {1, 15, 16, 17, 72, 136}) {
    const auto record = static_cast<std::size_t>(kStateFixed + stride_of(n));
    for (const Edge edge : kEdges) {
      const Fenced<float> found(random_values(record, Values::kUsual, 1), edge);
      Floats expected = random_values(record, Values::kUsual, 1);
      scalar_attention().close(expected.data());
      table->close(found.data());
      ASSERT_TRUE(same(found.span(), expected));
      const Fenced<float> out(static_cast<std::size_t>(n), edge);
      table->finish(found.data(), n, out.data());
      for (int i = 0; i < n; ++i) {
        ASSERT_EQ(out.data()[i], expected[static_cast<std::size_t>(kStateOut + i)] *
                                     (1.0f / expected[kStateTotal]));
      }
      ASSERT_TRUE(found.guards_unchanged() && out.guards_unchanged());
    }
  }
}

// Storing pairs gives what storing f32 and packing that gives.
TEST(FastAttention, StoreEqualsPackingWhatIsStored) {
  const Bf16AttentionKernels* const table = avx512bf16_attention();
  if (table == nullptr) GTEST_SKIP() << "this machine has no AVX512_BF16";
  for (const int head_dim : {1, 7, 16, 31, 32, 33, 64, 72, 128, 136}) {
    const int stride = stride_of(head_dim), key_rows = head_dim + head_dim % 2;
    for (const auto& [token, tokens] : {std::pair{0, 64}, {0, 1}, {0, 17}, {16, 31}, {48, 16}}) {
      SCOPED_TRACE(::testing::Message() << head_dim << " wide, " << tokens << " at " << token);
      const Floats rows = random_values(static_cast<std::size_t>(2 * head_dim * tokens),
                                        Values::kUsual, static_cast<std::uint64_t>(head_dim));
      const Block plain(KvElement::kF32, head_dim, Edge::kBack);
      scalar_attention().store(run_of(rows, KvElement::kF32, head_dim, token, tokens, plain));
      std::vector<std::uint16_t> keys(static_cast<std::size_t>(key_rows) * 64),
          values(static_cast<std::size_t>(stride) * 64);
      table->pack_pairs(KvElement::kF32, plain.keys.data(), head_dim, 64, keys.data());
      table->pack_pairs(KvElement::kF32, plain.values.data(), token + tokens, stride,
                        values.data());
      const Fenced<std::uint8_t> found_keys(keys.size() * 2, Edge::kBack),
          found_values(values.size() * 2, Edge::kBack);
      KvRun run = run_of(rows, KvElement::kPairs, head_dim, token, tokens, plain);
      run.keys = found_keys.data();
      run.values = found_values.data();
      table->store(run);
      ASSERT_TRUE(found_keys.guards_unchanged() && found_values.guards_unchanged());
      const auto word = [](const Fenced<std::uint8_t>& from, int i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, from.data() + 2 * i, 2);
        return bits;
      };
      for (int t = token; t < token + tokens; ++t) {
        for (int d = 0; d < key_rows; ++d) {
          const int at = (d / 2 * 64 + t) * 2 + d % 2;
          ASSERT_EQ(word(found_keys, at), keys[static_cast<std::size_t>(at)]) << t << ", " << d;
        }
      }
      for (int t = token; t < token + tokens + tokens % 2; ++t) {
        for (int d = 0; d < stride; ++d) {
          const int at = (t / 2 * stride + d) * 2 + t % 2;
          ASSERT_EQ(word(found_values, at), values[static_cast<std::size_t>(at)]) << t << ", " << d;
        }
      }
    }
  }
}

TEST(FastAttention, PackingRoundsToNearestAndPairsRows) {
  const Bf16AttentionKernels* const table = avx512bf16_attention();
  if (table == nullptr) GTEST_SKIP() << "this machine has no AVX512_BF16";
  for (const int n : {1, 7, 16, 33, 128}) {
    for (const Edge edge : kEdges) {
      const Fenced<float> q(random_values(static_cast<std::size_t>(n), Values::kUsual, 1), edge);
      const Fenced<std::uint16_t> packed(static_cast<std::size_t>(n + n % 2), edge);
      table->pack_query(q.data(), n, 0.37f, packed.data());
      ASSERT_TRUE(packed.guards_unchanged());
      for (int i = 0; i < n; ++i)
        ASSERT_EQ(packed.data()[i], tensor::f32_to_bf16(q.data()[i] * 0.37f));
      if (n % 2 != 0) {
        ASSERT_EQ(packed.data()[n], 0);
      }
    }
  }
  for (const KvElement element : kElements) {
    for (const int rows : {1, 2, 5, 64}) {
      for (const int n : {16, 48, 64}) {
        const auto count = static_cast<std::size_t>(rows * n);
        const Fenced<std::uint8_t> from(stored_values(element, count, Values::kUsual, 3),
                                        Edge::kBack);
        Floats values(count);
        scalar_attention().expand(element, from.data(), std::ssize(values), values.data());
        const Fenced<std::uint16_t> to(static_cast<std::size_t>((rows + rows % 2) * n),
                                       Edge::kBack);
        table->pack_pairs(element, from.data(), rows, n, to.data());
        ASSERT_TRUE(to.guards_unchanged());
        for (int r = 0; r < rows + rows % 2; ++r) {
          for (int i = 0; i < n; ++i) {
            const float value = r < rows ? values[static_cast<std::size_t>(r * n + i)] : 0.0f;
            ASSERT_EQ(to.data()[(r / 2 * n + i) * 2 + r % 2], tensor::f32_to_bf16(value));
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
