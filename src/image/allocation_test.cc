// Memory that runs out, at each allocation in turn, once or for good: an error, nothing leaked,
// nothing thrown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "image/preprocess.h"
#include "image/test_pictures.h"

namespace {

// The allocation that fails next; counted down. Off below zero. One thread only.
long allocations_left = -1;
bool fails_for_good = false;

bool must_fail() {
  if (allocations_left < 0) return false;
  if (allocations_left == 0) {
    if (!fails_for_good) allocations_left = -1;
    return true;
  }
  --allocations_left;
  return false;
}

}  // namespace

// Not inlined, so that the compiler does not see malloc's memory deleted, or new's memory freed.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (must_fail()) throw std::bad_alloc();
  if (void* p = std::malloc(size > 0 ? size : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace ocellus::image {
namespace {

// Calls `work` with the n-th allocation failing, for all n until none fails any more.
void fail_each_allocation(bool for_good, const std::function<Result<PixelValues>()>& work) {
  for (long n = 0;; ++n) {
    ASSERT_LT(n, 10'000);
    fails_for_good = for_good;
    allocations_left = n;
    auto values = work();
    const bool spared = allocations_left > 0;
    allocations_left = -1;
    if (spared) {
      EXPECT_TRUE(values.has_value());
      return;
    }
    if (!values) {
      EXPECT_EQ(values.error().code, ErrorCode::kOutOfMemory)
          << n << ": " << values.error().message;
    }
  }
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
    for (const bool for_good : {false, true}) fail_each_allocation(for_good, work);
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
      fail_each_allocation(for_good, [&] { return preprocess(tall, settings); });
    }
  }
}

}  // namespace
}  // namespace ocellus::image
