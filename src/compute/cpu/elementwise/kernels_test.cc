// Every kernel of every instruction set against the scalar table, bit for bit, in memory where a
// step too far is seen.
#include "compute/cpu/elementwise/kernels.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "compute/cpu/testing/memory.h"

namespace ocellus::compute::cpu {
namespace {

using testing::Edge;
using testing::Fenced;
using testing::kAllValues;
using testing::random_values;
using testing::same;
using testing::Values;

using Floats = std::vector<float>;
using FencedFloats = Fenced<float>;

constexpr Edge kEdges[] = {Edge::kFront, Edge::kBack};

// 1 to 70 crosses every border of vectors of 8, 16, 32 and 64; the others are many vectors and a
// rest.
std::vector<std::int64_t> lengths() {
  std::vector<std::int64_t> all(70);
  std::iota(all.begin(), all.end(), 1);
  all.insert(all.end(), {127, 128, 129, 1023, 4096, 5003});
  return all;
}

// The parameter is a table's name. The scalar one is held against itself too: that is how its own
// reads and writes are seen.
class ElementwiseTable : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string_view name = GetParam();
    table_ = name == "avx512" ? avx512_elementwise()
             : name == "avx2" ? avx2_elementwise()
                              : &scalar_elementwise();
    if (table_ == nullptr) GTEST_SKIP() << "this machine does not have " << name;
  }

  // Runs `call(table, outputs)` on the scalar table in ordinary memory and on the tested table
  // between fences.
  template <typename Call>
  void compare(const Floats& before, Edge edge, Call&& call) {
    Floats expected = before;
    call(scalar_elementwise(), expected.data());
    const FencedFloats found(before, edge);
    call(*table_, found.data());
    ASSERT_TRUE(same(found.span(), expected));
    ASSERT_TRUE(found.guards_unchanged());
  }

  const ElementwiseKernels* table_ = nullptr;
};

TEST_P(ElementwiseTable, NormsEqualScalar) {
  for (const Values kind : kAllValues) {
    for (const std::int64_t n : lengths()) {
      SCOPED_TRACE(n);
      const auto count = static_cast<std::size_t>(n);
      for (const Edge edge : kEdges) {
        const Floats values = random_values(count, kind, count);
        const FencedFloats x(values, edge);
        const FencedFloats weight(random_values(count, kind, count + 1), edge);
        const FencedFloats bias(random_values(count, kind, count + 2), edge);
        for (const float* const b :
             {static_cast<const float*>(nullptr), static_cast<const float*>(bias.data())}) {
          compare(Floats(count), edge, [&](const ElementwiseKernels& kernels, float* y) {
            kernels.layer_norm(x.data(), weight.data(), b, 1e-5f, n, y);
          });
          compare(values, edge, [&](const ElementwiseKernels& kernels, float* y) {
            kernels.layer_norm(y, weight.data(), b, 1e-5f, n, y);
          });
        }
        compare(Floats(count), edge, [&](const ElementwiseKernels& kernels, float* y) {
          kernels.rms_norm(x.data(), weight.data(), 1e-6f, n, y);
        });
        compare(values, edge, [&](const ElementwiseKernels& kernels, float* y) {
          kernels.rms_norm(y, weight.data(), 1e-6f, n, y);
        });
      }
    }
  }
}

TEST_P(ElementwiseTable, RotateEqualsScalar) {
  for (const Values kind : kAllValues) {
    for (const std::int64_t n : lengths()) {
      SCOPED_TRACE(n);
      const auto count = static_cast<std::size_t>(n);
      for (const Edge edge : kEdges) {
        const FencedFloats cos(random_values(count, kind, count + 1), edge);
        const FencedFloats sin(random_values(count, kind, count + 2), edge);
        compare(random_values(2 * count, kind, count + 3), edge,
                [&](const ElementwiseKernels& kernels, float* x) {
                  kernels.rotate(x, cos.data(), sin.data(), n);
                });
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ElementwiseTable, ::testing::Values("scalar", "avx2", "avx512"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace ocellus::compute::cpu
