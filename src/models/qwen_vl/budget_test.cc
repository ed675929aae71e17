// How many tokens a picture may take: the checkpoint's limits, the usual bound, the caller's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/families.h"

namespace ocellus::models {
namespace {

using ::testing::HasSubstr;

constexpr image::Size kPhoto{3024, 4032}, kStamp{28, 28};

// Qwen2.5-VL-3B as published.
Checkpoint published() {
  Checkpoint c;
  c.texts["config.json"] = R"({"model_type": "qwen2_5_vl", "hidden_size": 2048,
 "num_hidden_layers": 36, "num_attention_heads": 16, "num_key_value_heads": 2,
 "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
 "vision_config": {"hidden_size": 1280, "out_hidden_size": 2048}})";
  c.texts["preprocessor_config.json"] = R"({"min_pixels": 3136, "max_pixels": 12845056,
 "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
 "image_processor_type": "Qwen2VLImageProcessor"})";
  return c;
}

ImageFacts facts(image::Size size, const PictureOptions& options) {
  const Checkpoint c = published();
  const auto model = describe_model(c);
  EXPECT_TRUE(model) << model.error().message;
  return (*model)->image_facts(size, options).value();
}

std::string refusal(const PictureOptions& options) {
  const Checkpoint c = published();
  const auto refused = (*describe_model(c))->image_facts(kPhoto, options);
  return refused ? "accepted" : refused.error().message;
}

// Sizes: smart_resize() of transformers at the same limits.
TEST(QwenVlBudget, TheUsualBoundActsOnLargePicturesAndSaysSo) {
  const ImageFacts bounded = facts(kPhoto, {});
  EXPECT_EQ(bounded.seen, (image::Size{840, 1148}));
  EXPECT_EQ(bounded.rows, 30 * 41);
  EXPECT_EQ(bounded.unbounded_rows, 108 * 144);
  const ImageFacts small = facts({420, 560}, {});
  EXPECT_EQ(small.rows, 15 * 20);
  EXPECT_EQ(small.unbounded_rows, 0);
  const Checkpoint c = published();
  const auto model = describe_model(c);
  EXPECT_EQ((*model)->summary().image_rows, 16384);
  EXPECT_EQ((*model)->summary().usual_rows, kUsualImageTokens);
}

TEST(QwenVlBudget, TheCheckpointsOwnLimitIsToBeHad) {
  const ImageFacts own = facts(kPhoto, {.max_rows = kCheckpointImageTokens});
  EXPECT_EQ(own.seen, kPhoto);
  EXPECT_EQ(own.rows, 108 * 144);
  EXPECT_EQ(own.unbounded_rows, 0);
}

TEST(QwenVlBudget, TheCallersLimitsMoveBothEnds) {
  EXPECT_EQ(facts(kPhoto, {.max_rows = 256}).seen, (image::Size{364, 504}));
  EXPECT_EQ(facts(kPhoto, {.max_rows = 2048}).rows, 39 * 52);
  EXPECT_EQ(facts(kStamp, {}).rows, 4);
  EXPECT_EQ(facts(kStamp, {.max_rows = 256, .min_rows = 64}).rows, 64);
}

TEST(QwenVlBudget, LimitsBeyondTheCheckpointsAreRefused) {
  EXPECT_THAT(
      refusal({.max_rows = 3}),
      HasSubstr("image tokens: expected limits between 4 and 16384, the checkpoint's, found "
                "0 to 3"));
  EXPECT_THAT(refusal({.min_rows = 20000}), HasSubstr("found 20000 to 0"));
  EXPECT_THAT(refusal({.preprocess = Preprocess::kPad}), HasSubstr("expected model"));
  EXPECT_EQ(refusal({.max_rows = std::int64_t{1} << 62}), "accepted");
}

}  // namespace
}  // namespace ocellus::models
