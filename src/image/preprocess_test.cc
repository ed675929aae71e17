// The whole way from pixels to the tower's numbers against transformers' processors, bit for bit.
#include "image/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "image/test_pictures.h"

namespace ocellus::image {
namespace {

using testing::digest;
using ::testing::HasSubstr;
using testing::noise_picture;
using testing::read_table;

PreprocessSettings clip(int edge) {
  PreprocessSettings settings;
  settings.shortest_edge = edge;
  settings.crop = {edge, edge};
  return settings;
}

PreprocessSettings with(PreprocessSettings settings, auto change) {
  change(settings);
  return settings;
}

PreprocessSettings siglip(Size size) {
  PreprocessSettings settings;
  settings.resize_to = size;
  settings.do_center_crop = false;
  settings.mean = settings.std = {0.5, 0.5, 0.5};
  return settings;
}

// preprocess_cases.py has the same list.
const std::map<std::string, PreprocessSettings>& cases() {
  using S = PreprocessSettings;
  static const std::map<std::string, S> all = {
      {"clip_336", clip(336)},
      {"clip_96", clip(96)},
      {"clip_lanczos", with(clip(50), [](S& s) { s.filter = Filter::kLanczos; })},
      {"clip_nearest", with(clip(50), [](S& s) { s.filter = Filter::kNearest; })},
      {"clip_crop_larger", with(clip(40),
                                [](S& s) {
                                  s.crop = {71, 64};
                                })},
      {"clip_no_resize", with(clip(100), [](S& s) { s.do_resize = false; })},
      {"clip_no_crop", with(clip(20), [](S& s) { s.do_center_crop = false; })},
      {"clip_longest", with(clip(64),
                            [](S& s) {
                              s.longest_edge = 100;
                              s.do_center_crop = false;
                            })},
      {"clip_no_normalize", with(clip(30), [](S& s) { s.do_normalize = false; })},
      {"clip_no_rescale", with(clip(30), [](S& s) { s.do_rescale = false; })},
      {"siglip_384", siglip({384, 384})},
      {"siglip_oblong", with(siglip({60, 91}), [](S& s) { s.filter = Filter::kBilinear; })},
      {"pad_336", with(clip(336), [](S& s) { s.pad_to_square = true; })},
      {"pad_64", with(clip(64),
                      [](S& s) {
                        s.pad_to_square = true;
                        s.filter = Filter::kBilinear;
                      })},
  };
  return all;
}

TEST(Preprocess, EqualsTransformersBitForBit) {
  const auto rows = read_table("preprocess.tsv");
  ASSERT_GE(rows.size(), 13 * cases().size());
  for (const auto& row : rows) {
    SCOPED_TRACE(row.at(0) + ' ' + row.at(1) + " x " + row.at(2));
    const Image image = noise_picture(std::stoi(row[1]), std::stoi(row[2]), std::stoi(row[3]));
    const auto values = preprocess(image, cases().at(row.at(0)));
    ASSERT_TRUE(values.has_value()) << values.error().message;
    EXPECT_EQ(digest(values->resized.rgb), row.at(4));
    EXPECT_EQ(values->height, std::stoi(row.at(5)));
    EXPECT_EQ(values->width, std::stoi(row.at(6)));
    EXPECT_EQ(digest(values->data), row.at(7));
  }
}

TEST(Preprocess, ALinePictureCostsNoMoreThanItsCrop) {
  // 5.5 million pixels wide after resizing; only 336 columns are computed.
  for (const auto& [w, h] : {std::pair{16'384, 1}, {1, 16'384}}) {
    const auto values = preprocess(noise_picture(w, h, 2), clip(336));
    ASSERT_TRUE(values.has_value());
    EXPECT_EQ(values->data.size(), 3u * 336 * 336);
    // Padding makes a row of each sample of a column, each weighed across: a shorter one will do.
    const auto padded =
        preprocess(noise_picture(w, std::min(h, 2'048), 2),
                   with(clip(336), [](PreprocessSettings& s) { s.pad_to_square = true; }));
    ASSERT_TRUE(padded.has_value());
    EXPECT_EQ(padded->resized.rgb[0], static_cast<int>(0.48145466 * 255));
  }
  const auto uncropped =
      preprocess(noise_picture(16'384, 1, 2),
                 with(clip(336), [](PreprocessSettings& s) { s.do_center_crop = false; }));
  ASSERT_FALSE(uncropped.has_value());
  EXPECT_EQ(uncropped.error().code, ErrorCode::kBadImage);
  EXPECT_THAT(uncropped.error().message, HasSubstr("found 5505024 x 336"));
}

TEST(Preprocess, TheSizeIsKnownBeforehand) {
  EXPECT_EQ(*resized_size({427, 640}, clip(336)), (Size{336, 503}));
  EXPECT_EQ(*resized_size({640, 427}, clip(336)), (Size{503, 336}));
  EXPECT_EQ(*resized_size({5, 5}, siglip({7, 9})), (Size{7, 9}));
  EXPECT_FALSE(resized_size({0, 5}, clip(336)).has_value());
}

TEST(Preprocess, RefusesSettingsThatMakeNoSense) {
  using S = PreprocessSettings;
  const Image image = noise_picture(8, 8, 1);
  const PreprocessSettings bad[] = {
      clip(0),
      clip(-3),
      clip(100'000),
      siglip({0, 4}),
      with(clip(8),
           [](S& s) {
             s.crop = {0, 8};
           }),
      with(clip(8),
           [](S& s) {
             s.crop = {8, 1 << 20};
           }),
      with(clip(8), [](S& s) { s.longest_edge = 0; }),
      with(clip(8), [](S& s) { s.std[1] = 0; }),
      with(clip(8), [](S& s) { s.std[1] = std::numeric_limits<double>::quiet_NaN(); }),
      with(clip(8), [](S& s) { s.mean[2] = std::numeric_limits<double>::infinity(); }),
      with(clip(8), [](S& s) { s.rescale_factor = std::nan(""); }),
  };
  for (const PreprocessSettings& settings : bad) {
    const auto values = preprocess(image, settings);
    ASSERT_FALSE(values.has_value());
    EXPECT_EQ(values.error().code, ErrorCode::kInvalidArgument) << values.error().message;
  }
  EXPECT_FALSE(preprocess(Image{}, clip(8)).has_value());
}

}  // namespace
}  // namespace ocellus::image
