// Limits, cut-off files and flipped bits: an error that names what is wrong, never a crash, and
// never half a picture that passes for a whole one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <cstring>

#include "image/image.h"
#include "image/test_pictures.h"

namespace ocellus::image {
namespace {

using ::testing::HasSubstr;
using testing::picture_bytes;

void put_u32be(std::vector<std::byte>& bytes, std::size_t at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) {
    bytes[at + std::size_t(i)] = static_cast<std::byte>(value >> (24 - 8 * i));
  }
}

// As PNG computes it.
std::uint32_t checksum(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::string error_of(const std::vector<std::byte>& bytes, const DecodeLimits& limits) {
  const auto image = decode_image(bytes, limits);
  if (image) return "";
  EXPECT_EQ(image.error().code, ErrorCode::kBadImage);
  return image.error().message;
}

TEST(Limits, EachHoldsAtTheLimitAndRefusesBeyond) {
  for (const char* name : {"rgb_420_64x48.jpg", "lossy_64x48.webp", "palette_64x48.gif",
                           "png_2_08_32x33.png", "bits_24.bmp"}) {
    SCOPED_TRACE(name);
    const auto bytes = picture_bytes(name);
    const auto info = read_image_info(bytes);
    ASSERT_TRUE(info.has_value());

    DecodeLimits limits;
    limits.max_encoded_bytes = bytes.size();
    EXPECT_EQ(error_of(bytes, limits), "");
    limits.max_encoded_bytes = bytes.size() - 1;
    EXPECT_THAT(error_of(bytes, limits), HasSubstr("found " + std::to_string(bytes.size())));

    limits = {};
    limits.max_side = std::max(info->width, info->height);
    EXPECT_EQ(error_of(bytes, limits), "");
    --limits.max_side;
    EXPECT_THAT(error_of(bytes, limits), HasSubstr("expected sides of at most"));

    limits = {};
    limits.max_pixels = std::int64_t{info->width} * info->height;
    EXPECT_EQ(error_of(bytes, limits), "");
    --limits.max_pixels;
    EXPECT_THAT(error_of(bytes, limits), HasSubstr(" pixels, found "));

    limits = {};
    limits.max_memory_bytes = bytes_needed_to_decode(*info);
    EXPECT_EQ(error_of(bytes, limits), "");
    --limits.max_memory_bytes;
    EXPECT_THAT(error_of(bytes, limits), HasSubstr("bytes of memory to decode"));
  }
}

TEST(Limits, ProgressiveScans) {
  const auto bytes = picture_bytes("progressive_420.jpg");
  DecodeLimits limits;
  limits.max_jpeg_scans = 10;  // what libjpeg writes for a colour picture
  EXPECT_EQ(error_of(bytes, limits), "");
  limits.max_jpeg_scans = 9;
  EXPECT_THAT(error_of(bytes, limits), HasSubstr("more than 9 scans"));
}

TEST(Limits, MetadataBeyondThemIsPassedOver) {
  for (const char* name : {"icc.jpg", "meta_raw_profile.png", "exif_2.webp", "junk_between.gif"}) {
    SCOPED_TRACE(name);
    DecodeLimits limits;
    limits.max_ancillary_chunk_bytes = 4;
    EXPECT_EQ(error_of(picture_bytes(name), limits), "");
    limits = {};
    limits.max_ancillary_total_bytes = 4;
    EXPECT_EQ(error_of(picture_bytes(name), limits), "");
  }
}

// What a program has written beside the pixels: 2 MB of text, a signature, a chunk of its own.
TEST(Limits, LargeChunksOfOthersAreNoReasonToRefuseAPng) {
  const auto plain = picture_bytes("png_2_08_32x33.png");
  const auto expected = decode_image(plain, {});
  ASSERT_TRUE(expected.has_value());
  for (const char* name : {"tEXt", "zTXt", "iTXt", "iCCP", "caBX", "prVt"}) {
    SCOPED_TRACE(name);
    std::vector<std::byte> chunk(12 + 2'000'000);
    put_u32be(chunk, 0, 2'000'000);
    std::memcpy(chunk.data() + 4, name, 4);
    std::memcpy(chunk.data() + 8, "workflow", 9);
    put_u32be(chunk, chunk.size() - 4, checksum(std::span(chunk).subspan(4, chunk.size() - 8)));
    auto bytes = plain;
    bytes.insert(bytes.begin() + 33, chunk.begin(), chunk.end());  // after IHDR
    const auto found = decode_image(bytes, {});
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(found->rgb, expected->rgb);
  }
}

TEST(Limits, ProcessorTime) {
  DecodeLimits limits;
  limits.max_cpu_seconds = -1;
  EXPECT_THAT(error_of(picture_bytes("rgb_420_64x48.jpg"), limits), HasSubstr("decoding takes"));
  EXPECT_THAT(error_of(picture_bytes("png_2_08_32x33.png"), limits), HasSubstr("decoding takes"));
  EXPECT_THAT(error_of(picture_bytes("palette_64x48.gif"), limits), HasSubstr("decoding takes"));
}

TEST(Limits, BombsAreRefusedByTheirHeader) {
  auto png = picture_bytes("png_2_08_32x33.png");
  put_u32be(png, 16, 30'000);
  put_u32be(png, 20, 30'000);
  EXPECT_THAT(error_of(png, {}), HasSubstr("30000 x 30000"));
  put_u32be(png, 16, 16'000);
  put_u32be(png, 20, 16'000);
  EXPECT_THAT(error_of(png, {}), HasSubstr("at most 100000000 pixels"));
  put_u32be(png, 16, 0);
  EXPECT_THAT(error_of(png, {}), HasSubstr("0 x 16000"));
  put_u32be(png, 16, 0x80000000);
  EXPECT_THAT(error_of(png, {}), HasSubstr("IHDR: expected sides below 2^31"));
}

// Prefixes of files whose every byte matters; the exceptions are bytes that the format can spare.
TEST(Damage, EveryPrefixIsAnErrorOrTheWholePicture) {
  const char* names[] = {"rgb_420_17x13.jpg",
                         "progressive_420.jpg",
                         "cmyk_adobe.jpg",
                         "png_2_08_13x9.png",
                         "png_3_04_13x9_i.png",
                         "lossy_17x13.webp",
                         "alpha_lossless.webp",
                         "interlaced.gif",
                         "palette_5x3.gif",
                         "bits_24.bmp",
                         "rle8.bmp",
                         "rle4.bmp",
                         "core_01.bmp"};
  for (const char* name : names) {
    const auto bytes = picture_bytes(name);
    const auto whole = decode_image(bytes);
    ASSERT_TRUE(whole.has_value()) << name;
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      const auto part = decode_image(std::span(bytes).first(n));
      if (part.has_value()) {
        EXPECT_EQ(*part, *whole) << name << " cut to " << n << " of " << bytes.size();
      } else {
        EXPECT_FALSE(part.error().message.empty());
      }
    }
  }
}

TEST(Damage, FlippedBitsNeverCrash) {
  const char* names[] = {"rgb_420_17x13.jpg",
                         "progressive_grey.jpg",
                         "ycck.jpg",
                         "exif_6.jpg",
                         "png_2_16_13x9.png",
                         "png_3_04_13x9_i.png",
                         "trns_palette_many_04.png",
                         "animated.png",
                         "lossy_17x13.webp",
                         "alpha_17x13.webp",
                         "animated_offset.webp",
                         "interlaced.gif",
                         "inside_canvas_clear.gif",
                         "junk_between.gif",
                         "alpha_rgba_124.bmp",
                         "rle8.bmp",
                         "rle4.bmp",
                         "core_08.bmp"};
  // Sides are kept small so that a flipped size field costs no time.
  DecodeLimits limits;
  limits.max_side = 4096;
  limits.max_pixels = 1'000'000;
  for (const char* name : names) {
    const auto bytes = picture_bytes(name);
    auto changed = bytes;
    for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 1500); ++i) {
      for (const int mask : {0x01, 0x10, 0x80, 0xFF}) {
        changed[i] = bytes[i] ^ static_cast<std::byte>(mask);
        const auto image = decode_image(changed, limits);
        if (image) {
          EXPECT_EQ(image->rgb.size(),
                    std::size_t{3} * std::size_t(image->width) * std::size_t(image->height));
        } else {
          EXPECT_FALSE(image.error().message.empty());
        }
      }
      changed[i] = bytes[i];
    }
  }
}

TEST(Damage, WrongChecksumsOfPngChunksAreErrors) {
  const auto bytes = picture_bytes("trns_palette_many_04.png");
  std::size_t chunks = 0;
  for (std::size_t at = 8; at + 12 < bytes.size(); ++chunks) {
    const std::size_t length = std::to_integer<std::size_t>(bytes[at + 2]) << 8 |
                               std::to_integer<std::size_t>(bytes[at + 3]);
    const std::string name(reinterpret_cast<const char*>(&bytes[at + 4]), 4);
    auto changed = bytes;
    changed[at + 8 + length] ^= std::byte{1};
    EXPECT_THAT(error_of(changed, {}), HasSubstr("PNG: chunk " + name + " is damaged"));
    at += 12 + length;
  }
  EXPECT_EQ(chunks, 5u);  // IHDR, PLTE, tRNS and two of image data
}

TEST(Damage, UndefinedGifCodesAreErrors) {
  auto bytes = picture_bytes("local_table.gif");
  // The first code after the clear code is a colour: 5 bits from bit 5 on. 31 is beyond the end
  // code.
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t data = text.find(',') + 10 + 48 + 2;
  bytes[data] |= std::byte{0xE0};
  bytes[data + 1] |= std::byte{0x03};
  EXPECT_EQ(error_of(bytes, {}), "GIF: LZW code 31 after a clear code: expected a colour");
}

TEST(Damage, MessagesNameFormatAndCause) {
  auto jpeg = picture_bytes("rgb_420_64x48.jpg");
  jpeg.resize(jpeg.size() - 200);
  EXPECT_EQ(error_of(jpeg, {}), "JPEG: the file ends before the picture is complete");
  auto bmp = picture_bytes("bits_24.bmp");
  const std::size_t size = bmp.size();
  bmp.resize(size - 10);
  EXPECT_THAT(error_of(bmp, {}), HasSubstr("BMP: the file is cut short"));
  auto webp = picture_bytes("lossy_64x48.webp");
  webp.resize(webp.size() / 2);
  EXPECT_THAT(error_of(webp, {}), HasSubstr("WebP: the file is cut short"));
  auto gif = picture_bytes("palette_64x48.gif");
  gif.resize(gif.size() / 2);
  EXPECT_THAT(error_of(gif, {}), HasSubstr("GIF: "));
}

}  // namespace
}  // namespace ocellus::image
