// Packed models, whole and damaged.
#include "formats/packed_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace ocellus::formats {
namespace {

using tensor::DType;
using tensor::Shape;
using ::testing::HasSubstr;

using Bytes = std::vector<std::byte>;

// Two matrices of 5000 and 4096 bytes, a vector, a text.
struct Sample {
  Sample() {
    directory = {.layout = "panels, version 7",
                 .language_reduced = true,
                 .tower_reduced = false,
                 .texts = {{"config.json", "{}"}, {"empty", ""}},
                 .vectors = {{"norm.weight", {3}, std::as_bytes(std::span(values))}},
                 .matrices = {{.name = "a.weight",
                               .shape = {2, 3, 2, 2},
                               .dtype = DType::kBF16,
                               .multiplied_as_bf16 = true,
                               .out = 2,
                               .in = 12,
                               .offset = 4096,
                               .bytes = 5000},
                              {.name = "b.weight",
                               .shape = {4, 8},
                               .dtype = DType::kQ4_K,
                               .out = 4,
                               .in = 8,
                               .offset = 3 * 4096,
                               .bytes = 4096}}};
    directory.matrices[1].checksum.fill(0xAB);
  }

  std::vector<float> values = {1, 2, 3};
  PackedDirectory directory;
};

Bytes file_of(std::span<const std::byte> directory, std::uint64_t offset = 4 * kPackedPage) {
  Bytes file = packed_header_bytes(offset, directory);
  file.resize(offset, std::byte{0x55});
  file.insert(file.end(), directory.begin(), directory.end());
  return file;
}

Bytes file_of(const PackedDirectory& directory) {
  return file_of(packed_directory_bytes(directory));
}

std::string message(std::span<const std::byte> file) {
  const auto parsed = parse_packed_model(file, "m.ocellus");
  return parsed ? std::string("accepted") : parsed.error().message;
}

TEST(PackedModel, GivesBackWhatWasWritten) {
  const Sample sample;
  const Bytes file = file_of(sample.directory);
  EXPECT_TRUE(begins_like_packed_model(file));
  const auto found = parse_packed_model(file, "m.ocellus");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->layout, "panels, version 7");
  EXPECT_TRUE(found->language_reduced);
  EXPECT_FALSE(found->tower_reduced);
  ASSERT_EQ(found->texts.size(), 2u);
  EXPECT_EQ(found->texts[0].name, "config.json");
  EXPECT_EQ(found->texts[0].content, "{}");
  EXPECT_EQ(found->texts[1].content, "");
  ASSERT_EQ(found->vectors.size(), 1u);
  EXPECT_EQ(found->vectors[0].shape, Shape{3});
  EXPECT_EQ(std::memcmp(found->vectors[0].values.data(), sample.values.data(), 12), 0);
  ASSERT_EQ(found->matrices.size(), 2u);
  const PackedMatrix& a = found->matrices[0];
  EXPECT_EQ(a.name, "a.weight");
  EXPECT_EQ(a.shape, (Shape{2, 3, 2, 2}));
  EXPECT_EQ(a.dtype, DType::kBF16);
  EXPECT_TRUE(a.multiplied_as_bf16);
  EXPECT_EQ(a.out, 2);
  EXPECT_EQ(a.in, 12);
  EXPECT_EQ(found->matrices[1].offset, 3u * 4096);
  EXPECT_EQ(found->matrices[1].bytes, 4096u);
  EXPECT_EQ(found->matrices[1].checksum, sample.directory.matrices[1].checksum);
}

TEST(PackedModel, CutShortAnywhereIsAnError) {
  const Bytes file = file_of(Sample().directory);
  for (std::size_t size = 0; size < file.size(); size += size < 4200 || size >= 4 * 4096 ? 1 : 97) {
    const std::string found = message(std::span(file).first(size));
    ASSERT_THAT(found, HasSubstr("m.ocellus: ")) << size;
    if (size >= kPackedPage) {
      ASSERT_THAT(found, HasSubstr("expected " + std::to_string(file.size()) + " bytes, found " +
                                   std::to_string(size)));
    }
  }
  Bytes longer = file;
  longer.push_back({});
  EXPECT_THAT(message(longer), HasSubstr("found " + std::to_string(longer.size())));
}

TEST(PackedModel, EveryFlippedBitOfHeaderAndDirectoryIsAnError) {
  Bytes file = file_of(Sample().directory);
  for (std::size_t at = 0; at < file.size(); ++at) {
    if (at == kPackedPage) at = 4 * kPackedPage;  // the matrices' own bytes are not looked at
    for (int bit = 0; bit < 8; ++bit) {
      file[at] ^= std::byte(1 << bit);
      ASSERT_NE(message(file), "accepted") << at << " bit " << bit;
      file[at] ^= std::byte(1 << bit);
    }
  }
  file[kPackedPage] ^= std::byte{1};
  EXPECT_EQ(message(file), "accepted");
}

TEST(PackedModel, AnotherVersionIsNamed) {
  Bytes file = file_of(Sample().directory);
  file[8] = std::byte{3};
  const auto parsed = parse_packed_model(file, "m.ocellus");
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(parsed.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(parsed.error().message, HasSubstr("expected 2, found 3: pack its source again"));
}

// Right checksums do not make a directory right.
TEST(PackedModel, SealedNonsenseIsAnErrorOrInsideTheFile) {
  const Bytes directory = packed_directory_bytes(Sample().directory);
  const auto check = [](const Bytes& damaged) {
    const Bytes file = file_of(damaged);
    const auto parsed = parse_packed_model(file, "m");
    if (!parsed) return;
    for (const PackedMatrix& m : parsed->matrices) {
      ASSERT_LE(m.offset, file.size());
      ASSERT_LE(m.bytes, file.size() - m.offset);
      ASSERT_EQ(m.offset % kPackedPage, 0u);
    }
  };
  for (std::size_t at = 0; at < directory.size(); ++at) {
    for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      Bytes damaged = directory;
      damaged[at] = static_cast<std::byte>(value);
      check(damaged);
    }
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX,
                                      std::uint64_t{1} << 62, std::uint64_t{1} << 63}) {
      if (at + sizeof(value) > directory.size()) continue;
      Bytes damaged = directory;
      std::memcpy(damaged.data() + at, &value, sizeof(value));
      check(damaged);
    }
    EXPECT_NE(message(file_of(std::span(directory).first(at))), "accepted") << at;
  }
  std::minstd_rand random(1);
  for (int i = 0; i < 2000; ++i) {
    Bytes damaged = directory;
    for (int n = 0; n < 4; ++n) damaged[random() % damaged.size()] = std::byte(random() >> 8);
    check(damaged);
  }
}

TEST(PackedModel, EveryRuleHasItsMessage) {
  const auto changed = [](auto&& change) {
    Sample sample;
    change(sample.directory);
    return message(file_of(sample.directory));
  };
  using D = PackedDirectory;
  EXPECT_EQ(changed([](D&) {}), "accepted");
  EXPECT_THAT(changed([](D& d) { d.matrices[1].offset += 4096; }), HasSubstr("found 4096 bytes"));
  EXPECT_THAT(changed([](D& d) { d.matrices[0].offset += 64; }), HasSubstr("found 5000 bytes"));
  EXPECT_THAT(changed([](D& d) { d.matrices[1].bytes = 4097; }), HasSubstr("found 4097 bytes"));
  EXPECT_THAT(changed([](D& d) { d.matrices[1].bytes = UINT64_MAX; }), HasSubstr("b.weight"));
  EXPECT_THAT(changed([](D& d) { d.matrices.pop_back(); }), HasSubstr("found 12288"));
  EXPECT_THAT(changed([](D& d) { d.matrices[1].name = "a.weight"; }),
              HasSubstr("duplicate tensor 'a.weight'"));
  EXPECT_THAT(changed([](D& d) { d.matrices[1].name = "norm.weight"; }),
              HasSubstr("duplicate tensor 'norm.weight'"));
  EXPECT_THAT(changed([](D& d) { d.texts[1].name = "config.json"; }),
              HasSubstr("duplicate text 'config.json'"));
  EXPECT_THAT(changed([](D& d) { d.texts[1].name = ""; }), HasSubstr("expected a name"));
  EXPECT_THAT(changed([](D& d) { d.texts[1].name = "\x1b[2J"; }), HasSubstr("expected a name"));
  EXPECT_THAT(changed([](D& d) { d.matrices[0].out = 3; }), HasSubstr("found 3 x 12"));
  EXPECT_THAT(changed([](D& d) { d.matrices[0].in = INT64_MAX; }),
              HasSubstr("expected as many values as tensor"));
  EXPECT_THAT(changed([](D& d) { d.layout = std::string(200, 'x'); }), HasSubstr("at most 128"));
  EXPECT_THAT(message(file_of(Bytes(), 4096)), HasSubstr("found 0"));
  EXPECT_THAT(message(file_of(packed_directory_bytes(Sample().directory), 4 * 4096 + 64)),
              HasSubstr("offset of the directory"));
}

}  // namespace
}  // namespace ocellus::formats
