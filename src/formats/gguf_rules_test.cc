// The reader's rules at their edges, and on a file that the gguf package wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>

#include "formats/gguf.h"
#include "formats/gguf_test_builder.h"
#include "formats/safetensors.h"

namespace ocellus::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

Bytes package_file() {
  const char* const source = std::getenv("OCELLUS_SOURCE_DIR");
  EXPECT_NE(source, nullptr);
  std::ifstream file(std::string(source) + "/tests/golden/gguf/types.gguf", std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(content.empty());
  const auto bytes = std::as_bytes(std::span(content));
  return {bytes.begin(), bytes.end()};
}

// Where tensor data begin.
std::size_t header_size(const GgufFile& file, const Bytes& bytes) {
  std::size_t least = bytes.size();
  for (const auto& [name, t] : file.tensors())
    least = std::min(least, static_cast<std::size_t>(t.data.data() - bytes.data()));
  return least;
}

// Uses all that a file offers: nothing may lie outside it.
void use(const GgufFile& file, const Bytes& bytes) {
  const auto inside = [&](const std::byte* at, std::size_t size) {
    ASSERT_GE(at, bytes.data());
    ASSERT_LE(at + size, bytes.data() + bytes.size());
  };
  for (const auto& [name, t] : file.tensors()) {
    inside(t.data.data(), t.data.size());
    if (const auto view = t.view(name)) {
      ASSERT_EQ(view->data.size(), *view->shape.elements() /
                                       static_cast<std::int64_t>(block_values(view->dtype)) *
                                       static_cast<std::int64_t>(block_bytes(view->dtype)));
    }
  }
  for (const GgufEntry& entry : file.entries()) {
    inside(entry.value.data(), entry.value.size());
    (void)describe(file.metadata().find(entry.key)->second);
    (void)file.integer(entry.key, 0, 1);
    (void)file.number_or(entry.key, 0);
    (void)file.boolean_or(entry.key, false);
    (void)file.text(entry.key);
    (void)file.numbers(entry.key);
    if (const auto texts = file.texts(entry.key)) {
      for (const std::string_view text : *texts)
        inside(reinterpret_cast<const std::byte*>(text.data()), text.size());
    }
  }
}

TEST(GgufPackage, EveryTypeOfValueAndTensor) {
  const Bytes bytes = package_file();
  const auto file = GgufFile::parse(bytes, "types.gguf");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min(),
                         kMax = std::numeric_limits<std::int64_t>::max();
  const auto integer = [&](const char* key) { return file->integer(key, kMin, kMax).value(); };
  EXPECT_EQ(integer("v.u8"), 255);
  EXPECT_EQ(integer("v.i8"), -128);
  EXPECT_EQ(integer("v.u16"), 65'535);
  EXPECT_EQ(integer("v.i16"), -32'768);
  EXPECT_EQ(integer("v.u32"), 4'294'967'295);
  EXPECT_EQ(integer("v.i32"), -2'147'483'648);
  EXPECT_EQ(integer("v.i64"), kMin);
  // Beyond what we count with: never inside a range that ends below the largest.
  EXPECT_THAT(file->integer("v.u64", 0, kMax - 1).error().message,
              HasSubstr("18446744073709551615"));
  EXPECT_EQ(*file->number_or("v.f32", 0), static_cast<double>(1e-5f));
  EXPECT_EQ(*file->number_or("v.f64", 0), 0.1);
  EXPECT_TRUE(*file->boolean_or("v.bool", false));
  EXPECT_EQ(*file->text("v.string"), "na\xC3\xAFve \xE2\x96\x81the");
  EXPECT_THAT(*file->texts("a.texts"), ElementsAre("", "<s>", "\xE2\x96\x81the"));
  EXPECT_THAT(*file->numbers("a.i32"), ElementsAre(-1, 0, 7));
  EXPECT_THAT(*file->numbers("a.f32"), ElementsAre(0.5, -1.5));
  EXPECT_THAT(file->numbers("a.bool").error().message, HasSubstr("[2 of bool]"));
  EXPECT_EQ(file->tensors().size(), 14u);
  for (const char* name : {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K",
                           "Q3_K", "Q4_K", "Q5_K", "Q6_K"}) {
    const GgufTensor& t = file->tensors().at(name);
    EXPECT_EQ(t.type, name);
    EXPECT_EQ(t.shape, (tensor::Shape{2, 256})) << name;
    EXPECT_TRUE(t.view(name).has_value()) << name;
  }
  const GgufTensor& cube = file->tensors().at("cube");
  EXPECT_EQ(cube.shape, (tensor::Shape{2, 3, 4}));
  float last = 0;
  std::memcpy(&last, cube.data.data() + 23 * sizeof(float), sizeof(last));
  EXPECT_EQ(last, 23.0f);
}

TEST(GgufPackage, EveryTruncationIsAnError) {
  const Bytes bytes = package_file();
  const auto whole = GgufFile::parse(bytes, "m");
  ASSERT_TRUE(whole.has_value());
  std::size_t end = 0;  // behind the last tensor; padding may follow
  for (const auto& [name, t] : whole->tensors())
    end = std::max(end, static_cast<std::size_t>(t.data.data() + t.data.size() - bytes.data()));
  for (std::size_t size = 0; size < end; ++size) {
    // Bytes of its own, so that a sanitizer sees one step too far.
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const auto file = GgufFile::parse(cut, "cut.gguf");
    ASSERT_FALSE(file.has_value()) << size;
    ASSERT_THAT(file.error().message, HasSubstr("cut.gguf"));
  }
}

TEST(GgufPackage, EveryFlippedBitOfTheHeaderIsAnErrorOrAFile) {
  Bytes bytes = package_file();
  const auto whole = GgufFile::parse(bytes, "m");
  ASSERT_TRUE(whole.has_value());
  const std::size_t header = header_size(*whole, bytes);
  int refused = 0;
  for (std::size_t at = 0; at < header; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      const auto mask = static_cast<std::byte>(1 << bit);
      bytes[at] ^= mask;
      if (const auto file = GgufFile::parse(bytes, "m")) {
        use(*file, bytes);
      } else {
        ++refused;
        ASSERT_FALSE(file.error().message.empty());
      }
      bytes[at] ^= mask;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(GgufPackage, RandomChangesNeverEscape) {
  const Bytes original = package_file();
  std::mt19937 random(9);
  const std::size_t header = header_size(*GgufFile::parse(original, "m"), original);
  constexpr std::uint8_t kEdges[] = {0, 1, 8, 9, 12, 13, 0x7F, 0x80, 0xFE, 0xFF};
  for (int i = 0; i < 10'000; ++i) {
    Bytes bytes = original;
    for (unsigned n = 1 + random() % 5; n > 0; --n) {
      const std::size_t at = random() % header;
      bytes[at] = random() % 2 == 0 ? static_cast<std::byte>(random())
                                    : static_cast<std::byte>(kEdges[random() % std::size(kEdges)]);
    }
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    if (const auto file = GgufFile::parse(bytes, "m")) use(*file, bytes);
  }
}

// Each integer of a small header in turn takes values at the edges of its width.
TEST(GgufRules, EveryFieldAtItsEdges) {
  // Version, tensor count, entry count, key length, value type, text length, array type and count,
  // name length, rank, size, type, offset: at known places in a file made here.
  constexpr std::uint64_t kGood[] = {3, 1, 2, 1, 8, 2, 1, 9, 5, 2, 1, 1, 64, 0, 0};
  constexpr bool kWide[] = {false, true, true, true,  false, true,  true, false,
                            false, true, true, false, true,  false, true};
  constexpr std::size_t kFields = std::size(kGood);
  const auto build = [&](std::size_t which, std::uint64_t value) {
    GgufBuilder b;
    std::size_t field = 0;
    const auto put = [&] {
      const std::uint64_t v = field == which ? value : kGood[field];
      kWide[field] ? b.put(v) : b.put(static_cast<std::uint32_t>(v));
      ++field;
    };
    b.put<std::uint32_t>(0x46554747);
    put(), put(), put();
    put(), b.put('a'), put(), put(), b.put('x').put('y');
    put(), b.put('b'), put(), put(), put();
    b.put<std::int32_t>(4).put<std::int32_t>(5);
    put(), b.put('t'), put(), put(), put(), put();
    return b.align().zeros(256).bytes();
  };
  ASSERT_TRUE(GgufFile::parse(build(kFields, 0), "m").has_value());
  const std::uint64_t ones = ~std::uint64_t{0};
  for (std::size_t field = 0; field < kFields; ++field) {
    for (const std::uint64_t edge :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{31}, std::uint64_t{32},
          std::uint64_t{1} << 16, (std::uint64_t{1} << 31) - 1, std::uint64_t{1} << 31,
          (std::uint64_t{1} << 32) - 1, std::uint64_t{1} << 32, std::uint64_t{1} << 62, ones >> 1,
          (ones >> 1) + 1, ones - 1, ones}) {
      const Bytes bytes = build(field, edge);
      const auto file = GgufFile::parse(bytes, "m.gguf");
      SCOPED_TRACE(field);
      SCOPED_TRACE(edge);
      if (file) {
        use(*file, bytes);
      } else {
        ASSERT_THAT(file.error().message, HasSubstr("m.gguf"));
      }
      // A count, length or size beyond the file is never believed.
      if (kWide[field] && edge > 1'000'000) {
        EXPECT_FALSE(file.has_value());
      }
    }
  }
}

TEST(GgufRules, BothVersions) {
  for (const std::uint32_t version : {2u, 3u}) {
    GgufBuilder b;
    b.header(1, 0, version).tensor("t", {2}, 0, 0).align().zeros(8);
    const auto file = GgufFile::parse(b.bytes(), "m");
    ASSERT_TRUE(file.has_value()) << file.error().message;
    EXPECT_EQ(file->version(), version);
  }
  for (const std::uint32_t version : {0u, 1u, 4u}) {
    GgufBuilder b;
    const auto file = GgufFile::parse(b.header(0, 0, version).bytes(), "m");
    ASSERT_FALSE(file.has_value());
    EXPECT_EQ(file.error().code, ErrorCode::kUnsupported);
  }
}

TEST(GgufRules, AlignmentIsAPowerOfTwoInU32) {
  for (const std::uint32_t alignment : {8u, 64u, 65'536u}) {
    GgufBuilder b;
    b.header(2, 1).entry("general.alignment", 4).put(alignment);
    b.tensor("t", {1}, 0, 0).tensor("u", {1}, 0, alignment).align(alignment).zeros(alignment + 4);
    EXPECT_TRUE(GgufFile::parse(b.bytes(), "m").has_value()) << alignment;
  }
  for (const std::uint32_t alignment : {0u, 1u, 4u, 24u, 131'072u, 0xFFFFFFFFu}) {
    GgufBuilder b;
    b.header(0, 1).entry("general.alignment", 4).put(alignment).align(64).zeros(64);
    EXPECT_FALSE(GgufFile::parse(b.bytes(), "m").has_value()) << alignment;
  }
  GgufBuilder b;
  b.header(0, 1).entry("general.alignment", 10).put<std::uint64_t>(32).zeros(64);
  EXPECT_THAT(GgufFile::parse(b.bytes(), "m").error().message,
              HasSubstr("expected u32, found u64"));
}

TEST(GgufRules, LimitsHoldAtTheirLastValue) {
  const auto entries = [](std::uint64_t count) {
    GgufBuilder b;
    b.header(0, count);
    for (std::uint64_t i = 0; i < count; ++i) b.entry(std::to_string(i), 0).put<std::uint8_t>(0);
    return b.bytes();
  };
  EXPECT_TRUE(GgufFile::parse(entries(kMaxGgufEntries), "m").has_value());
  EXPECT_THAT(GgufFile::parse(entries(kMaxGgufEntries + 1), "m").error().message,
              HasSubstr("expected at most 65536"));

  const auto tensors = [](std::uint64_t count) {
    GgufBuilder b;
    b.header(count, 0);
    for (std::uint64_t i = 0; i < count; ++i) b.tensor(std::to_string(i), {8}, 0, i * 32);
    return b.align().zeros(count * 32).bytes();
  };
  EXPECT_TRUE(GgufFile::parse(tensors(kMaxTensors), "m").has_value());
  EXPECT_THAT(GgufFile::parse(tensors(kMaxTensors + 1), "m").error().message,
              HasSubstr("expected at most 100000"));

  const auto key = [](std::size_t size) {
    GgufBuilder b;
    b.header(0, 1).entry(std::string(size, 'k'), 0).put<std::uint8_t>(0);
    return b.bytes();
  };
  EXPECT_TRUE(GgufFile::parse(key(65'535), "m").has_value());
  EXPECT_FALSE(GgufFile::parse(key(65'536), "m").has_value());

  const auto text = [](std::size_t size) {
    GgufBuilder b;
    b.header(0, 1).entry("a", 8).text(std::string(size, 't'));
    return b.bytes();
  };
  EXPECT_TRUE(GgufFile::parse(text(kMaxGgufText), "m").has_value());
  EXPECT_THAT(GgufFile::parse(text(kMaxGgufText + 1), "m").error().message,
              HasSubstr("at most 67108864 bytes, found 67108865"));

  const auto nested = [](int depth) {
    GgufBuilder b;
    b.header(0, 1).entry("a", 9);
    for (int i = 1; i < depth; ++i) b.put<std::uint32_t>(9).put<std::uint64_t>(1);
    return b.put<std::uint32_t>(0).put<std::uint64_t>(1).put<std::uint8_t>(7).bytes();
  };
  EXPECT_TRUE(GgufFile::parse(nested(4), "m").has_value());
  EXPECT_FALSE(GgufFile::parse(nested(5), "m").has_value());

  const auto name = [](std::size_t size) {
    GgufBuilder b;
    b.header(1, 0).tensor(std::string(size, 'n'), {1}, 0, 0);
    return b.align().zeros(4).bytes();
  };
  EXPECT_TRUE(GgufFile::parse(name(63), "m").has_value());
  EXPECT_FALSE(GgufFile::parse(name(64), "m").has_value());
}

// The texts of a vocabulary are read where they lie.
TEST(GgufRules, LargeVocabulariesAreNotCopied) {
  constexpr std::uint64_t kWords = 256'000;
  GgufBuilder b;
  b.header(0, 1).entry("tokens", 9).put<std::uint32_t>(8).put(kWords);
  for (std::uint64_t i = 0; i < kWords; ++i) b.text("word");
  const auto file = GgufFile::parse(b.bytes(), "m");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const auto texts = file->texts("tokens");
  ASSERT_TRUE(texts.has_value()) << texts.error().message;
  ASSERT_EQ(texts->size(), kWords);
  const auto* const first = reinterpret_cast<const char*>(b.bytes().data());
  for (const std::string_view text : *texts) {
    ASSERT_EQ(text, "word");
    ASSERT_GT(text.data(), first);
    ASSERT_LT(text.data(), first + b.bytes().size());
  }
}

}  // namespace
}  // namespace ocellus::formats
