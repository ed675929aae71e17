// Resampling against Pillow, sample by sample, and the parts against the whole.
#include "image/resize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/test_pictures.h"

namespace ocellus::image {
namespace {

using testing::digest;
using testing::noise_picture;
using testing::read_table;

constexpr Filter kAllFilters[] = {Filter::kNearest, Filter::kLanczos, Filter::kBilinear,
                                  Filter::kBicubic, Filter::kBox,     Filter::kHamming};

PaddedImage whole(const Image& image) { return {image, image.width, image.height, 0, 0, {}}; }

Image cut(const Image& image, const Window& w) {
  Image out = make_image(w.width, w.height);
  for (int y = 0; y < w.height; ++y) {
    std::copy_n(image.row(w.y + y) + 3 * w.x, 3 * w.width, out.row(y));
  }
  return out;
}

TEST(Resize, EqualsPillow) {
  const auto rows = read_table("resize.tsv");
  ASSERT_GE(rows.size(), 80u);
  for (const auto& row : rows) {
    std::vector<int> n;
    for (std::size_t i = 0; i < 6; ++i) n.push_back(std::stoi(row.at(i)));
    const auto filter = parse_filter(n[5]);
    ASSERT_TRUE(filter.has_value());
    const auto image = resize(noise_picture(n[0], n[1], n[2]), n[3], n[4], *filter);
    ASSERT_TRUE(image.has_value());
    EXPECT_EQ(digest(image->rgb), row.at(6))
        << n[0] << " x " << n[1] << " to " << n[3] << " x " << n[4] << ' ' << filter_name(*filter);
  }
}

TEST(Resize, WindowsAreCutsOfTheWhole) {
  const Image image = noise_picture(70, 41, 3);
  for (const Filter filter : kAllFilters) {
    for (const auto& [w, h] : {std::pair{33, 90}, {70, 20}, {200, 41}, {140, 82}, {9, 7}}) {
      const auto full = resize(image, w, h, filter);
      ASSERT_TRUE(full.has_value());
      for (const Window window :
           {Window{0, 0, w, h}, Window{w - 1, h - 1, 1, 1}, Window{w / 3, h / 4, w / 2, h / 2}}) {
        const auto part = resize_window(whole(image), w, h, filter, window);
        ASSERT_TRUE(part.has_value());
        EXPECT_EQ(*part, cut(*full, window)) << filter_name(filter) << ' ' << w << ' ' << h;
      }
    }
  }
}

TEST(Resize, PaddingIsTheSameAsAPaddedPicture) {
  const Image inner = noise_picture(23, 9, 5);
  const PaddedImage padded{inner, 31, 30, 5, 11, {10, 200, 30}};
  Image solid = make_image(31, 30);
  for (int i = 0; i < 31 * 30; ++i) {
    std::copy_n(padded.fill.data(), 3, solid.rgb.data() + std::size_t(3 * i));
  }
  for (int y = 0; y < inner.height; ++y) {
    std::copy_n(inner.row(y), 3 * inner.width, solid.row(y + padded.top) + 3 * padded.left);
  }
  for (const Filter filter : kAllFilters) {
    for (const auto& [w, h] : {std::pair{17, 12}, {64, 80}, {31, 30}, {31, 12}, {12, 30}}) {
      const auto from_padded = resize_window(padded, w, h, filter, {0, 0, w, h});
      const auto from_solid = resize(solid, w, h, filter);
      ASSERT_TRUE(from_padded.has_value() && from_solid.has_value());
      EXPECT_EQ(*from_padded, *from_solid) << filter_name(filter) << ' ' << w << ' ' << h;
    }
  }
}

TEST(Resize, AnEnormousTargetCostsOnlyItsWindow) {
  const Image line = noise_picture(16'384, 1, 1);
  const std::int64_t width = std::int64_t{16'384} * 336;
  const Window window{static_cast<int>(width / 2), 10, 50, 20};
  for (const Filter filter : kAllFilters) {
    const auto part = resize_window(whole(line), width, 336, filter, window);
    ASSERT_TRUE(part.has_value());
    // One row, so all rows are alike; and so far apart that neighbours come from one sample.
    EXPECT_EQ(cut(*part, {0, 0, 50, 1}), cut(*part, {0, 19, 50, 1}));
  }
}

TEST(Resize, AFlatPictureStaysFlat) {
  Image flat = make_image(200, 100);
  for (std::size_t i = 0; i < flat.rgb.size(); ++i)
    flat.rgb[i] = std::uint8_t(i % 3 == 0 ? 255 : 3);
  for (const Filter filter : kAllFilters) {
    const auto image = resize(flat, 37, 211, filter);
    ASSERT_TRUE(image.has_value());
    for (std::size_t i = 0; i < image->rgb.size(); ++i) {
      ASSERT_EQ(image->rgb[i], i % 3 == 0 ? 255 : 3) << filter_name(filter);
    }
  }
}

TEST(Resize, RefusesWhatCannotBe) {
  const Image image = noise_picture(4, 4, 1);
  EXPECT_FALSE(resize(image, 0, 5, Filter::kBox).has_value());
  EXPECT_FALSE(resize(image, 5, -1, Filter::kBox).has_value());
  EXPECT_FALSE(resize(Image{}, 5, 5, Filter::kBox).has_value());
  EXPECT_FALSE(resize_window(whole(image), 8, 8, Filter::kBox, {4, 4, 5, 1}).has_value());
  EXPECT_FALSE(resize_window(whole(image), 8, 8, Filter::kBox, {-1, 0, 1, 1}).has_value());
  const PaddedImage outside{image, 5, 5, 2, 0, {}};
  EXPECT_FALSE(resize_window(outside, 8, 8, Filter::kBox, {0, 0, 1, 1}).has_value());
  EXPECT_EQ(parse_filter(6), std::nullopt);
  EXPECT_EQ(parse_filter(-1), std::nullopt);
}

}  // namespace
}  // namespace ocellus::image
