// Memory that runs out, at each allocation in turn, once or for good: an error, nothing leaked,
// nothing thrown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "base/test_allocations.h"
#include "image/preprocess.h"
#include "image/test_pictures.h"

namespace ocellus::image {
namespace {

using base::testing::fail_each_allocation;

// Calls `work` with the n-th allocation failing, for all n until none fails any more.
void expect_out_of_memory(bool for_good, const std::function<Result<PixelValues>()>& work) {
  std::optional<Result<PixelValues>> values;
  const long allocations = fail_each_allocation(
      {.for_good = for_good}, 10'000, [&] { values.emplace(work()); },
      [&](bool failed) {
        // A codec may do without what it did not get.
        if (values->has_value()) return;
        EXPECT_TRUE(failed);
        EXPECT_EQ(values->error().code, ErrorCode::kOutOfMemory) << values->error().message;
        values.reset();
      });
  EXPECT_GT(allocations, 0);
}

TEST(Allocation, FailureAtEachPlaceIsAnError) {
  for (const char* name :
       {"exif_6.jpg", "cmyk_adobe.jpg", "png_3_04_13x9_i.png", "alpha_17x13.webp",
        "meta_xmp_compressed.png", "exif_3.png", "animated_offset.webp", "interlaced.gif",
        "rle8.bmp", "alpha_bgra_124.bmp"}) {
    SCOPED_TRACE(name);
    const auto bytes = testing::picture_bytes(name);
    PreprocessSettings settings;
    settings.shortest_edge = 20;
    settings.crop = {24, 30};
    const auto work = [&]() -> Result<PixelValues> {
      auto image = decode_image(bytes);
      if (!image) return std::unexpected(std::move(image).error());
      return preprocess(*image, settings);
    };
    for (const bool for_good : {false, true}) expect_out_of_memory(for_good, work);
  }
}

TEST(Allocation, PaddingAndTallPicturesToo) {
  const Image tall = testing::noise_picture(40, 300, 1);
  PreprocessSettings settings;
  settings.shortest_edge = 20;
  settings.crop = {20, 20};
  for (const bool pad : {false, true}) {
    settings.pad_to_square = pad;
    for (const bool for_good : {false, true}) {
      expect_out_of_memory(for_good, [&] { return preprocess(tall, settings); });
    }
  }
}

}  // namespace
}  // namespace ocellus::image
