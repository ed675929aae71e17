#include "models/parts/image_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocellus::models {
namespace {

using ::testing::HasSubstr;

Result<image::PreprocessSettings> read(std::string text) {
  Checkpoint checkpoint;
  checkpoint.path = "model";
  checkpoint.texts.emplace("preprocessor_config.json", std::move(text));
  VitConfig tower;
  tower.image_size = 336;
  return read_image_processor(checkpoint, tower);
}

TEST(ImageProcessor, BothSpellings) {
  const auto flat = read(R"({"size":336,"crop_size":336,"resample":3,"image_mean":[0.1,0.2,0.3]})");
  ASSERT_TRUE(flat.has_value()) << flat.error().message;
  EXPECT_EQ(flat->shortest_edge, 336);
  EXPECT_EQ(flat->crop.width, 336);
  EXPECT_EQ(flat->mean[1], 0.2);
  const auto inside = read(
      R"({"image_processor":{"size":{"shortest_edge":96},"crop_size":{"height":90,"width":80},"do_pad":true},"patch_size":14})");
  ASSERT_TRUE(inside.has_value()) << inside.error().message;
  EXPECT_EQ(inside->shortest_edge, 96);
  EXPECT_EQ(inside->crop.height, 90);
  EXPECT_EQ(inside->crop.width, 80);
  EXPECT_TRUE(inside->pad_to_square);
  const auto siglip =
      read(R"({"image_processor_type":"SiglipImageProcessor","size":{"height":384,"width":384}})");
  ASSERT_TRUE(siglip.has_value());
  EXPECT_EQ(siglip->resize_to, (image::Size{384, 384}));
  EXPECT_FALSE(siglip->do_center_crop);
  EXPECT_EQ(siglip->mean[0], 0.5);
}

TEST(ImageProcessor, BadValuesAreNamed) {
  for (const auto& [text, word] : {std::pair<const char*, const char*>{R"({"size":0})", "size"},
                                   {R"({"size":"x"})", "size"},
                                   {R"({"size":{}})", "size"},
                                   {R"({"size":{"height":3}})", "size"},
                                   {R"({"crop_size":{"height":3}})", "crop_size"},
                                   {R"({"resample":9})", "resample"},
                                   {R"({"image_mean":[1,2]})", "image_mean"},
                                   {R"({"image_std":[1,0,1]})", "image_std"},
                                   {R"({"do_resize":"yes"})", "do_resize"},
                                   {R"({"rescale_factor":-1})", "rescale_factor"}}) {
    const auto config = read(text);
    ASSERT_FALSE(config.has_value()) << text;
    EXPECT_THAT(config.error().message, HasSubstr(word)) << text;
  }
}

// The file of 5.x wins where it has an image_processor; without any, CLIP's at the tower's size.
TEST(ImageProcessor, EveryPlace) {
  Checkpoint checkpoint;
  VitConfig tower;
  tower.image_size = 98;
  const auto edge = [&] { return read_image_processor(checkpoint, tower)->shortest_edge; };
  EXPECT_EQ(edge(), 98);
  checkpoint.texts["preprocessor_config.json"] = R"({"size":64})";
  checkpoint.texts["processor_config.json"] = R"({"patch_size":14})";
  EXPECT_EQ(edge(), 64);
  checkpoint.texts["processor_config.json"] = R"({"image_processor":{"size":32}})";
  EXPECT_EQ(edge(), 32);
}

}  // namespace
}  // namespace ocellus::models
