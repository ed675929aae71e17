// Every kind of picture against what Pillow makes of it, and what is told without decoding.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "image/exif.h"
#include "image/image.h"
#include "image/test_pictures.h"

namespace ocellus::image {
namespace {

using testing::digest;
using ::testing::HasSubstr;
using testing::picture_bytes;
using testing::read_table;

TEST(Decode, EveryPictureEqualsTheReference) {
  const auto rows = read_table("pictures.tsv");
  ASSERT_GT(rows.size(), 250u);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.at(0));
    const auto image = decode_image(picture_bytes(row.at(0)));
    if (row.at(4) == "error") {
      EXPECT_FALSE(image.has_value());
      continue;
    }
    ASSERT_TRUE(image.has_value()) << image.error().message;
    EXPECT_EQ(image->width, std::stoi(row.at(1)));
    EXPECT_EQ(image->height, std::stoi(row.at(2)));
    EXPECT_EQ(digest(image->rgb), row.at(3));
  }
}

TEST(Decode, InfoAgreesWithThePicture) {
  for (const auto& row : read_table("pictures.tsv")) {
    SCOPED_TRACE(row.at(0));
    const auto bytes = picture_bytes(row.at(0));
    const auto info = read_image_info(bytes);
    ASSERT_TRUE(info.has_value()) << info.error().message;
    EXPECT_EQ(info->encoded_bytes, bytes.size());
    if (row.at(4) == "error") continue;
    EXPECT_EQ(info->oriented_width(), std::stoi(row.at(1)));
    EXPECT_EQ(info->oriented_height(), std::stoi(row.at(2)));
    EXPECT_GE(bytes_needed_to_decode(*info),
              std::size_t{3} * std::size_t(info->width) * std::size_t(info->height));
  }
}

struct InfoCase {
  const char* file;
  ImageFormat format;
  const char* color_mode;
  int bits;
  bool alpha;
  bool interlaced;
  int frames;
  int orientation;
};

TEST(Decode, InfoSaysWhatTheHeaderSays) {
  const InfoCase cases[] = {
      {"rgb_420_17x13.jpg", ImageFormat::kJpeg, "YCbCr", 8, false, false, 1, 1},
      {"progressive_grey.jpg", ImageFormat::kJpeg, "grey", 8, false, true, 1, 1},
      {"cmyk_adobe.jpg", ImageFormat::kJpeg, "CMYK", 8, false, false, 1, 1},
      {"ycck.jpg", ImageFormat::kJpeg, "YCCK", 8, false, false, 1, 1},
      {"adobe_rgb.jpg", ImageFormat::kJpeg, "RGB", 8, false, false, 1, 1},
      {"exif_6.jpg", ImageFormat::kJpeg, "YCbCr", 8, false, false, 1, 6},
      {"exif_out_of_range.jpg", ImageFormat::kJpeg, "YCbCr", 8, false, false, 1, 1},
      {"xmp_element.jpg", ImageFormat::kJpeg, "YCbCr", 8, false, false, 1, 8},
      {"png_0_16_13x9_i.png", ImageFormat::kPng, "grey", 16, false, true, 1, 1},
      {"png_3_02_13x9.png", ImageFormat::kPng, "palette", 2, false, false, 1, 1},
      {"png_6_16_13x9.png", ImageFormat::kPng, "RGBA", 16, true, false, 1, 1},
      {"png_4_08_13x9.png", ImageFormat::kPng, "grey+alpha", 8, true, false, 1, 1},
      {"trns_rgb_08.png", ImageFormat::kPng, "RGB", 8, true, false, 1, 1},
      {"animated.png", ImageFormat::kPng, "RGB", 8, false, false, 2, 1},
      {"meta_exif_after_data.png", ImageFormat::kPng, "RGB", 8, false, false, 1, 7},
      {"meta_xmp_compressed.png", ImageFormat::kPng, "RGB", 8, false, false, 1, 5},
      {"animated.webp", ImageFormat::kWebp, "RGB", 8, false, false, 2, 1},
      {"alpha_lossless.webp", ImageFormat::kWebp, "RGBA", 8, true, false, 1, 1},
      {"exif_3.webp", ImageFormat::kWebp, "RGB", 8, false, false, 1, 3},
      {"animated.gif", ImageFormat::kGif, "palette", 8, false, false, 2, 1},
      {"transparent.gif", ImageFormat::kGif, "palette", 8, true, false, 1, 1},
      {"interlaced.gif", ImageFormat::kGif, "palette", 8, false, true, 1, 1},
      {"no_table.gif", ImageFormat::kGif, "grey", 8, false, false, 1, 1},
      {"bits_04.bmp", ImageFormat::kBmp, "palette", 4, false, false, 1, 1},
      {"bits_16.bmp", ImageFormat::kBmp, "RGB", 5, false, false, 1, 1},
      {"alpha_bgra_124.bmp", ImageFormat::kBmp, "RGBA", 8, true, false, 1, 1},
  };
  for (const InfoCase& c : cases) {
    SCOPED_TRACE(c.file);
    const auto info = read_image_info(picture_bytes(c.file));
    ASSERT_TRUE(info.has_value()) << info.error().message;
    EXPECT_EQ(info->format, c.format);
    EXPECT_EQ(info->color_mode, c.color_mode);
    EXPECT_EQ(info->bits, c.bits);
    EXPECT_EQ(info->has_alpha, c.alpha);
    EXPECT_EQ(info->interlaced, c.interlaced);
    EXPECT_EQ(info->frames, c.frames);
    EXPECT_EQ(info->animated(), c.frames > 1);
    EXPECT_EQ(info->orientation, c.orientation);
  }
}

TEST(Decode, TheNameOfTheFileDoesNotMatter) {
  // The content decides: these bytes have no name at all.
  const auto image = decode_image(picture_bytes("rgb_420_2x3.jpg"));
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->width, 2);
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

TEST(Decode, UnknownFormatsAreNamed) {
  const std::pair<std::string_view, const char*> cases[] = {
      {std::string_view("\0\0\0\x1c"
                        "ftypavif",
                        12),
       "AVIF"},
      {std::string_view("\0\0\0\x1c"
                        "ftypheic",
                        12),
       "HEIC"},
      {std::string_view("II*\0rest", 8), "TIFF"},
      {"<svg xmlns", "SVG"},
      {"%PDF-1.7", "PDF"},
      {"hello, I am no picture", "68 65 6c 6c 6f"},
      {"x", "found bytes 78"},
      {"", "found 0 bytes"},
  };
  for (const auto& [bytes, expected] : cases) {
    const auto image = decode_image(bytes_of(bytes));
    ASSERT_FALSE(image.has_value());
    EXPECT_EQ(image.error().code, ErrorCode::kBadImage);
    EXPECT_THAT(image.error().message, HasSubstr(expected));
    if (!bytes.empty()) {
      EXPECT_THAT(image.error().message, HasSubstr("JPEG, PNG, WebP, GIF or BMP"));
    }
  }
}

TEST(Exif, EveryOrientationMovesTheCornersRight) {
  // a b c      The letters are red samples; the picture is 3 wide and 2 high.
  // d e f
  Image image = make_image(3, 2);
  for (int i = 0; i < 6; ++i) image.rgb[std::size_t(3 * i)] = static_cast<std::uint8_t>('a' + i);
  const char* expected[] = {"abc/def",  "cba/fed",  "fed/cba",  "def/abc",
                            "ad/be/cf", "da/eb/fc", "fc/eb/da", "cf/be/ad"};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image turned = apply_orientation(image, orientation);
    std::string text;
    for (int y = 0; y < turned.height; ++y) {
      if (y > 0) text += '/';
      for (int x = 0; x < turned.width; ++x) text += static_cast<char>(turned.row(y)[3 * x]);
    }
    EXPECT_EQ(text, expected[orientation - 1]) << orientation;
  }
}

TEST(Exif, DamagedBlocksSayNothing) {
  const auto jpeg = picture_bytes("exif_6.jpg");
  const std::string_view text(reinterpret_cast<const char*>(jpeg.data()), jpeg.size());
  const std::size_t start = text.find(std::string_view("Exif\0\0", 6));
  const Bytes block = Bytes(jpeg).subspan(start, 6 + 8 + 2 + 12 + 4);
  ASSERT_EQ(exif_orientation(block), 6);
  for (std::size_t n = 0; n < 28; ++n) {
    EXPECT_EQ(exif_orientation(block.first(n)), std::nullopt) << n;
  }
  // Each byte of the block in turn with every value: no crash, and never anything out of range
  // where a range is promised.
  for (std::size_t i = 0; i < block.size(); ++i) {
    std::vector<std::byte> changed(block.begin(), block.end());
    for (int value = 0; value < 256; ++value) {
      changed[i] = static_cast<std::byte>(value);
      const int orientation = choose_orientation(changed, {});
      EXPECT_TRUE(orientation >= 1 && orientation <= 8);
    }
  }
}

}  // namespace
}  // namespace ocellus::image
