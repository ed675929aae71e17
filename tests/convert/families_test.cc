// Every family written as a GGUF pair and as a packed model answers as its source does, bit for
// bit.
#include <gtest/gtest.h>

#include "convert/pack.h"
#include "convert/quantize.h"
#include "vision/test_golden.h"

namespace ocellus::convert {
namespace {

namespace fs = std::filesystem;
using vision::testing::answer;
using vision::testing::golden;

class FamiliesTest : public vision::testing::FolderTest,
                     public ::testing::WithParamInterface<const char*> {
 protected:
  fs::path model() const { return golden() / "families" / GetParam() / "model"; }

  static ModelOptions in_f32(const fs::path& path) {
    return {.path = path, .weights = WeightType::kF32, .tower_weights = WeightType::kF32};
  }
};

TEST_P(FamiliesTest, APairInF32ChangesNothing) {
  const fs::path target = folder_ / "m.gguf";
  const auto written = quantize_model({.source = model(),
                                       .mmproj = {},
                                       .target = target,
                                       .weights = tensor::DType::kF32,
                                       .tower_weights = tensor::DType::kF32,
                                       .threads = 2,
                                       .progress = {},
                                       .stop = {}});
  ASSERT_TRUE(written.has_value()) << written.error().message;
  const auto source = answer(in_f32(model()));
  auto pair = answer(in_f32(target));
  ASSERT_TRUE(source.has_value()) << source.error().message;
  ASSERT_TRUE(pair.has_value()) << pair.error().message;
  // A pair of Qwen3.5 has value heads in another order, and so sums over them.
  const bool same_sums = std::string_view(GetParam()) != "qwen3_5";
  if (!same_sums) {
    ASSERT_EQ(pair->logits.size(), source->logits.size());
    for (std::size_t i = 0; i < source->logits.size(); ++i)
      ASSERT_NEAR(pair->logits[i], source->logits[i], 1e-4) << i;
    pair->logits = source->logits;
  }
  vision::testing::expect_same(*pair, *source);
  const bool tiles = !std::string_view(GetParam()).starts_with("qwen");
  EXPECT_EQ(source->image_inputs.front() > 1, tiles);
}

TEST_P(FamiliesTest, APackedModelChangesNothing) {
  const fs::path target = folder_ / "m.ocellus";
  const auto packed =
      pack_model({.source = model(), .mmproj = {}, .target = target, .load = {}, .threads = 2});
  ASSERT_TRUE(packed.has_value()) << packed.error().message;
  const auto source = answer({.path = model()}), found = answer({.path = target});
  ASSERT_TRUE(source.has_value()) << source.error().message;
  ASSERT_TRUE(found.has_value()) << found.error().message;
  vision::testing::expect_same(*found, *source);
}

INSTANTIATE_TEST_SUITE_P(Models, FamiliesTest,
                         ::testing::Values("llava_next", "llava_onevision", "smolvlm", "idefics3",
                                           "internvl", "internvl3_5", "granite_vision", "qwen2_vl",
                                           "qwen2_5_vl", "qwen3_vl", "qwen3_5"),
                         [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace ocellus::convert
