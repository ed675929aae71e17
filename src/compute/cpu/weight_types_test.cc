// Every row of the table of weight types is packed, mapped, read and multiplied, in every way that
// its rows of activations can be: against double.
#include "tensor/weight_types.h"

#include <gtest/gtest.h>

#include <cmath>

#include "compute/cpu/testing/backends.h"
#include "tensor/quant.h"

namespace ocellus::compute::cpu {
namespace {

using testing::all_backends;
using testing::Rows;
using testing::same;
using testing::Source;
using testing::wide;

class EveryWeightType : public ::testing::TestWithParam<tensor::WeightTypeInfo> {};

TEST_P(EveryWeightType, PacksMapsReadsAndMultiplies) {
  const DType type = GetParam().dtype;
  const std::int64_t out = 40, in = 512, rows = 9;
  // The weight's values once they are rounded to the type.
  const Source source(out, in, DType::kF32, 1);
  std::vector<std::byte> blocks(tensor::bytes_of(type, out * in));
  std::vector<float> values(static_cast<std::size_t>(out * in));
  tensor::quantize(type, source.values.data(), out * in, blocks.data());
  tensor::dequantize(type, blocks.data(), out * in, values.data());
  const Rows x(rows, in, 2);
  for (const auto& [name, backend] : all_backends()) {
    for (const Arithmetic arithmetic : {Arithmetic::kF32, Arithmetic::kReducedPrecision}) {
      SCOPED_TRACE(name);
      const auto workspace = backend->make_workspace();
      const auto packed = backend->make_weight({type, {out, in}, blocks}, {type, arithmetic});
      ASSERT_TRUE(packed.has_value()) << packed.error().message;
      // From f32: the same weight.
      const auto rounded = backend->make_weight(source.view, {type, arithmetic});
      ASSERT_TRUE(rounded.has_value());
      const auto view = (*packed)->packed_view(), other = (*rounded)->packed_view();
      ASSERT_TRUE(std::ranges::equal(view.bytes, other.bytes));
      // And from its own memory.
      const auto mapped = backend->map_weight(view, nullptr);
      ASSERT_TRUE(mapped.has_value()) << mapped.error().message;

      const std::int32_t ids[] = {39, 0, 17};
      Rows read(3, in, 3);
      ASSERT_TRUE(backend->embed(**mapped, ids, read.matrix()));
      for (std::int64_t r = 0; r < 3; ++r) {
        for (std::int64_t i = 0; i < in; ++i)
          ASSERT_EQ(read.at(r, i), wide(values[static_cast<std::size_t>(ids[r] * in + i)]));
      }
      for (const std::int64_t decode_rows : {std::int64_t{0}, std::int64_t{1}, rows}) {
        Rows y(rows, out, 4), again(rows, out, 5);
        ASSERT_TRUE(backend->linear(**packed, x.view(), {}, y.matrix(), *workspace, decode_rows));
        ASSERT_TRUE(
            backend->linear(**mapped, x.view(), {}, again.matrix(), *workspace, decode_rows));
        double error = 0, signal = 0;
        for (std::int64_t r = 0; r < rows; ++r) {
          ASSERT_TRUE(same(y.row(r), again.row(r)));
          for (std::int64_t o = 0; o < out; ++o) {
            double sum = 0;
            for (std::int64_t i = 0; i < in; ++i)
              sum += x.at(r, i) * wide(values[static_cast<std::size_t>(o * in + i)]);
            error += std::pow(y.at(r, o) - sum, 2);
            signal += sum * sum;
          }
        }
        // Activations, and weights of prefill rows, are rounded to 8 bits beside block types.
        EXPECT_LT(std::sqrt(error / signal), tensor::is_quantized(type) ? 0.02 : 0.005);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryWeightType, ::testing::ValuesIn(tensor::kWeightTypes),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace ocellus::compute::cpu
